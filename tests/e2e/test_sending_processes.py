"""Sending processes: they end with the command however it ends, leave signals to it, and hold no secrets."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from e2e_world import TOKEN, World, ended, serving, started, wait_for

SENDING = "bulkup.pipeline.processes"


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Return a world with a few files. Sending each takes half a second."""
    world = World(tmp_path)
    for number in range(24):
        (world.source / f"{number}.mp4").write_bytes(b"x" * 30_000 + bytes([number]))
    return world


@contextlib.contextmanager
def uploading(world: World, url: str) -> Iterator[tuple[subprocess.Popen[bytes], list[psutil.Process]]]:
    """Start a run, and yield it with its sending processes once files are on their way."""
    options = [*world.to(url), "--processes", "2", "--concurrency", "4"]
    with started("upload", str(world.source), "--json", *options, env=TOKEN) as process:
        wait_for(lambda: world.settled() > 0)
        children = [one for one in psutil.Process(process.pid).children() if SENDING in one.cmdline()]
        assert len(children) == 2
        yield process, children


def gone(children: list[psutil.Process]) -> bool:
    """Return whether all have ended. A process that its new parent has not yet waited for counts as ended."""
    return not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in children)


def test_they_end_with_a_command_that_is_killed(world: World) -> None:
    """They end at once. Their arguments and environment contain no secrets."""
    with serving(world.store, "--fault", "slow-body") as url, uploading(world, url) as (process, children):
        for child in children:
            told = " ".join([*child.cmdline(), *child.environ().values()])
            assert TOKEN["BULKUP_TOKEN"] not in told
            assert "Signature" not in told
            assert not [name for name in child.environ() if name.startswith("BULKUP_")]
        process.kill()
        process.wait()
        wait_for(lambda: gone(children))


def test_they_leave_signals_to_the_command(world: World) -> None:
    """They ignore signals that reach all processes. The command then ends in order, and can be resumed."""
    with serving(world.store, "--fault", "slow-body") as url, uploading(world, url) as (process, children):
        for child in children:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                os.kill(child.pid, number)
        process.send_signal(signal.SIGINT)
        stopped = ended(process).expect(130, "stopping")
        assert gone(children)
        assert stopped.summary["files"]["failed"] == 0
        assert stopped.summary["retries"] == 0
        assert 0 < stopped.summary["files"]["uploaded"] == world.settled()
    with serving(world.store, "--port", url.rpartition(":")[2]) as again:
        world.upload(*world.to(again), "--processes", "2", env=TOKEN).expect(0)
    assert world.verify() == 24
