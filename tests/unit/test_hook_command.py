"""The command of a notification."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import anyio
import psutil
import pytest

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


async def test_a_command_that_hangs_is_killed_with_its_children(tmp_path: Path) -> None:
    script = (
        "import os, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-I', '-c', 'import time; time.sleep(600)'])\n"
        f"open({str(tmp_path / 'new')!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}')\n"
        f"os.rename({str(tmp_path / 'new')!r}, {str(tmp_path / 'ids')!r})\n"
        "time.sleep(600)"
    )
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run_hook, [*PYTHON, script], {}, b"")
        with anyio.fail_after(60):
            while not (tmp_path / "ids").exists():
                await anyio.sleep(0.01)
        processes = [psutil.Process(int(number)) for number in (tmp_path / "ids").read_text().split()]
        tasks.cancel_scope.cancel()
    deadline = time.monotonic() + 60
    for process in processes:
        while is_running(process):
            assert time.monotonic() < deadline
            time.sleep(0.01)


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
