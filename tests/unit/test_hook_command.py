"""The command of a notification."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import anyio
import psutil
import pytest
from anyio.abc import Process

from bulkup.api.notify.hook_command import environment_without_secrets, run_hook
from bulkup.config import Settings

PYTHON = (sys.executable, "-I", "-c")


async def test_a_command_receives_data_and_environment(tmp_path: Path) -> None:
    script = f"import os, sys; open({str(tmp_path / 'out')!r}, 'w').write(os.environ['A'] + sys.stdin.read())"
    assert await run_hook([*PYTHON, script], {"A": "a"}, b"data") is None
    assert (tmp_path / "out").read_text() == "adata"


@pytest.mark.parametrize("size", [0, 10_000_000])
async def test_a_command_need_not_read_its_input(size: int) -> None:
    assert await run_hook([*PYTHON, "pass"], {}, b"x" * size) is None


@pytest.mark.parametrize(
    ("argv", "reason"),
    [
        ([*PYTHON, "raise SystemExit(3)"], "it exited with status 3"),
        ([*PYTHON, "import os; os.kill(os.getpid(), 9)"], "it was ended by signal 9"),
        (["/no/such/command"], "it cannot be run: No such file or directory"),
    ],
)
async def test_a_command_that_fails(argv: list[str], reason: str) -> None:
    assert await run_hook(argv, {}, b"") == reason


def hanging(ids: Path) -> str:
    """Return a script that starts a child and then hangs. It writes both process ids to a file."""
    return (
        "import os, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-I', '-c', 'import time; time.sleep(600)'])\n"
        f"open({str(ids) + '.new'!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}')\n"
        f"os.rename({str(ids) + '.new'!r}, {str(ids)!r})\n"
        "time.sleep(600)"
    )


async def named(ids: Path) -> list[psutil.Process]:
    """Wait for the file, and return the processes."""
    with anyio.fail_after(60):
        while not ids.exists():
            await anyio.sleep(0.01)
    return [psutil.Process(int(number)) for number in ids.read_text().split()]


def assert_that_they_end(processes: list[psutil.Process]) -> None:
    assert len(processes) == 2
    deadline = time.monotonic() + 60
    for process in processes:
        while is_running(process):
            assert time.monotonic() < deadline
            time.sleep(0.01)


async def test_a_command_that_hangs_is_killed_with_its_children(tmp_path: Path) -> None:
    ids = tmp_path / "ids"
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run_hook, [*PYTHON, hanging(ids)], {}, b"")
        processes = await named(ids)
        tasks.cancel_scope.cancel()
    assert_that_they_end(processes)


async def test_a_command_cancelled_while_it_starts_is_killed_with_its_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a busy machine, the command may run for some time before this process has opened its pipes."""
    ids, open_process = tmp_path / "ids", anyio.open_process
    processes: list[psutil.Process] = []

    async def slow(*arguments: Any, **options: Any) -> Process:
        process = await open_process(*arguments, **options)
        processes.extend(await named(ids))
        tasks.cancel_scope.cancel()
        await anyio.sleep(0)
        return process

    monkeypatch.setattr(anyio, "open_process", slow)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run_hook, [*PYTHON, hanging(ids)], {}, b"")
    assert_that_they_end(processes)


def is_running(process: psutil.Process) -> bool:
    """Return whether a process runs; one that has ended may stay as a zombie, or another may have got its number."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_no_variable_with_a_secret_is_passed_on() -> None:
    """Neither the secrets of settings, nor those that the profile names; all other variables stay."""
    notify = {"slack_url": "env:MY_SLACK", "ping_url": "https://host/"}
    settings = Settings.model_validate({"provider": "magic-hour", "token": "env:MY_KEY", "notify": notify})
    hidden = {
        *("BULKUP_TOKEN", "BULKUP_API_KEY", "BULKUP_SECRET_KEY", "BULKUP_LFS_PASSWORD", "BULKUP_NOTIFY", "BULKUP_HTTP"),
        *("MY_KEY", "MY_SLACK"),
    }
    kept = {"PATH": "/bin", "HOME": "/home/a", "BULKUP_PROFILE": "n", "AWS_SECRET_ACCESS_KEY": "other"}
    environ = {**dict.fromkeys(hidden, "hunter2"), **kept}
    assert environment_without_secrets(environ, settings) == kept


def test_keys_of_the_aws_tools_are_secrets_of_s3() -> None:
    environ = {"AWS_SECRET_ACCESS_KEY": "a", "AWS_SESSION_TOKEN": "b", "AWS_PROFILE": "c"}
    assert environment_without_secrets(environ, Settings(provider="s3")) == {"AWS_PROFILE": "c"}
