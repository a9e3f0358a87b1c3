"""`bulkup control`: a run of the command that is paused, limited, resumed and stopped by another one."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e_world import World, ended, run, started, wait_for


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Return a world with files that take seconds at the limit of `uploading`."""
    world = World(tmp_path)
    world.fill(100, least=20_000)
    return world


@contextlib.contextmanager
def uploading(world: World) -> Iterator[subprocess.Popen[bytes]]:
    """Start a run, and yield it once files are on their way."""
    with started("upload", str(world.source), *world.local, "--bwlimit", "400k") as process:
        wait_for(lambda: world.settled() > 0)
        yield process


def control(world: World, *arguments: str) -> dict[str, object]:
    done = run("control", *arguments, "--journal", str(world.journal), "--json").expect(0)
    (line,) = done.lines
    return line


def test_a_run_is_paused_limited_resumed_and_ends(world: World) -> None:
    socket = Path(f"{world.journal}.control")
    with uploading(world) as process:
        found = os.lstat(socket)
        assert (stat.S_ISSOCK(found.st_mode), stat.S_IMODE(found.st_mode)) == (True, 0o600)
        shown = run("control", "status", "--journal", str(world.journal)).expect(0)
        assert f": running (process {process.pid})" in shown.out
        assert "bwlimit 400k (400.0 KiB/s now)" in shown.out
        assert control(world, "pause")["state"] == "paused"
        wait_for(lambda: control(world, "status")["depths"]["sending"] == 0)  # type: ignore[index]
        settled = control(world, "status")["files_done"]
        limited = control(world, "bwlimit", "off")
        assert (limited["state"], limited["files_done"]) == ("paused", settled)
        assert control(world, "concurrency", "8")["limits"]["concurrency"] == 8  # type: ignore[index]
        run("control", "concurrency", "no", "--journal", str(world.journal)).expect(2, "expected auto or a number")
        run("control", "bwlimit", "no", "--journal", str(world.journal)).expect(2, "bwlimit: expected bytes")
        with started("control", "status", "--watch", "--json", "--journal", str(world.journal)) as watching:
            assert watching.stdout is not None
            assert json.loads(watching.stdout.readline())["state"] == "paused"
            control(world, "resume")
            lines = [json.loads(line) for line in watching.stdout]
            assert (lines[-1]["state"], lines[-1]["exit_code"], lines[-1]["percent"]) == ("ended", 0, 100)
            assert watching.wait() == 0
        assert ended(process).code == 0
    assert not socket.exists()
    world.verify()


def test_a_run_is_stopped_as_by_a_signal(world: World) -> None:
    """Asked twice, it still finishes the files under way."""
    with uploading(world) as process:
        assert control(world, "pause")["state"] == "paused"
        control(world, "stop")
        with contextlib.suppress(AssertionError):  # it may have ended
            control(world, "stop")
        assert ended(process).code == 130
    done = world.upload(*world.local).expect(0)
    assert done.summary["files"]["skipped"] + done.summary["files"]["uploaded"] == 100


def test_a_run_is_stopped_at_once(world: World) -> None:
    with uploading(world) as process:
        run("control", "stop", "--now", "--journal", str(world.journal)).expect(0)
        assert ended(process).code == 130


def test_without_a_run(world: World) -> None:
    """The socket of a killed run is no run, and the next one replaces it. The only run of the user needs no name."""
    run("control", "pause", "--journal", str(world.journal)).expect(2, "no run is under way")
    with uploading(world) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert Path(f"{world.journal}.control").exists()
    run("control", "pause", "--journal", str(world.journal)).expect(2, "no run is under way")
    with uploading(world) as process:
        wait_for(lambda: run("control", "pause", "--journal", str(world.journal)).code == 0)
        process.send_signal(signal.SIGTERM)
        assert ended(process).code == 143


def test_a_control_socket_that_cannot_be_made(world: World) -> None:
    """It is a warning: the files are uploaded all the same."""
    Path(f"{world.journal}.control.new").mkdir()
    Path(f"{world.journal}.control.new/kept").write_text("x")
    run("upload", str(world.source), *world.local).expect(0, "the run has no control socket", "the run continues")
    world.verify()
