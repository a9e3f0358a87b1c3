"""The log of a run: on standard error, in a file, and for the journal of systemd."""

from __future__ import annotations

import errno
import json
import os
import re
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
from disk_world import failing, fault
from e2e_world import COMMAND, TIMEOUT, TOKEN, World, environment, run, serving

TIME = re.compile(r"\d{4}-\d\d-\d\dT")


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    world.fill(12)
    return world


def events(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_each_line_of_a_run_has_its_id(world: World) -> None:
    """From its start, and the last one has the whole summary."""
    done = world.upload(*world.local, "--log-format", "json").expect(0)
    lines, summary = events(done.err), done.summary
    lines = lines[[line["event"] for line in lines].index("run.started") :]
    assert len(lines) > 1
    assert lines[-1]["event"] == "run.ended"
    assert {line["run"] for line in lines} == {summary["run"]}
    assert {**summary, "event": "run.ended"}.items() <= lines[-1].items()
    assert lines[-1]["outcome"] == "complete"


def test_rejected_files_are_named_by_threes(world: World) -> None:
    """Of each reason. A tree of them makes a few lines, and the manifest has the rest."""
    for number in range(200):
        (world.source / f"note {number}.txt").write_bytes(b"x")
        (world.source / f"sheet {number}.ods").write_bytes(b"x")
    with serving(world.store) as url:
        rejecting = (*world.to(url), "--unsupported", "report", "--log-format", "json")
        done = world.upload(*rejecting, env=TOKEN).expect(3)
    assert done.summary["files"]["rejected"] == 400
    lines = events(done.err)
    single = [line for line in lines if line["event"] == "file.not_uploaded"]
    counted = [line for line in lines if line["event"] == "files.not_uploaded"]
    assert len(single) <= 6
    assert sum(line["files"] for line in counted) == 400
    assert all(line["status"] == "rejected" and len(line["first"]) == 3 for line in counted)
    assert len(done.err) < 6_000
    assert len([row for row in world.manifest() if row["status"] == "rejected"]) == 400


@pytest.mark.parametrize("quiet", [False, True])
def test_a_log_file_has_every_line(quiet: bool, world: World) -> None:
    """Also those that `--quiet` leaves out. Two runs append to one file."""
    log = world.root / "logs" / "nightly.log"
    log.parent.mkdir()
    options = (*world.local, "--log-file", str(log), *(["--quiet"] if quiet else []))
    first, second = (world.upload(*options, umask=0).expect(0).summary["run"] for _ in range(2))
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    lines = log.read_text().splitlines()
    assert all(TIME.match(line) for line in lines)
    ends = [re.search(r"event=run\.ended .*run=(\S+)", line) for line in lines]
    assert [found[1] for found in ends if found] == [first, second]
    assert any("event=progress" in line for line in lines)


def test_a_log_file_is_rotated(world: World) -> None:
    log = world.root / "nightly.log"
    for _ in range(4):
        limits = ("--log-file-size", "1k", "--log-file-count", "2", "--log-level", "debug")
        world.upload(*world.local, "--log-file", str(log), *limits).expect(0)
    assert sorted(path.name for path in world.root.glob("nightly.log*")) == [
        *("nightly.log", "nightly.log.1", "nightly.log.2")
    ]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("none/log", "No such file or directory"),
        ("source/log", "inside the source"),
        ("journal.sqlite3", "belongs to the journal"),
        ("folder", "Is a directory"),
    ],
)
def test_a_log_file_that_cannot_be_used_is_reported_before_the_start(name: str, reason: str, world: World) -> None:
    (world.root / "folder").mkdir()
    done = world.upload(*world.local, "--log-file", str(world.root / name)).expect(2, "log", reason)
    assert [line["event"] for line in done.lines] == ["error"]
    assert not world.journal.exists()
    assert not world.store.exists()


def test_a_disk_that_is_full_for_the_log_does_not_hurt_the_upload(world: World) -> None:
    """One warning says so."""
    full = failing(fault("write", "nightly.log", errno.ENOSPC, skip=1))
    options = (*world.local, "--log-file", str(world.root / "nightly.log"), "--log-level", "debug")
    done = world.upload(*options, env=full).expect(0, "the log file cannot be written: No space left on device")
    assert done.err.count("log file cannot be written") == 1
    assert done.summary["files"]["uploaded"] == 12
    assert len((world.root / "nightly.log").read_text().splitlines()) == 1


def test_lines_for_the_journal_of_systemd(world: World, tmp_path: Path) -> None:
    """They have a priority, and neither time nor colours: the journal has its own."""
    (world.source / "note.txt").write_bytes(b"x")
    with open(tmp_path / "stream", "w+b") as stream, serving(world.store) as url:
        found = os.fstat(stream.fileno())
        env = {**TOKEN, "JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}", "FORCE_COLOR": ""}
        options = (*world.to(url), "--unsupported", "report")
        command = run_into(stream, env, "upload", str(world.source), *options)
        assert command == 3
        assert run_into(stream, env, "upload", str(world.root / "gone"), *world.local) == 2
        stream.seek(0)
        lines = stream.read().decode().splitlines()
    assert {line[:3] for line in lines} >= {"<6>", "<4>", "<3>"}
    assert all(re.match(r"<[3-7]>\S", line) or line.startswith("<3>  ") for line in lines)
    assert not any(TIME.search(line) for line in lines)
    assert any(re.match(r"<6>run ended: incomplete .*event=run\.ended .*run=", line) for line in lines)
    assert any(re.match(r"<4>file not uploaded .*path=note\.txt", line) for line in lines)
    assert any(line.startswith("<3>bulkup: cannot use the source") for line in lines)


def run_into(stream: Any, env: dict[str, str], *arguments: str) -> int:
    """Run a command whose standard error is an open file, and return its exit code."""
    done = subprocess.run(
        [*COMMAND, *arguments], env=environment(env), stdout=subprocess.DEVNULL, stderr=stream, timeout=TIMEOUT
    )
    return done.returncode


def test_a_run_that_cannot_start_ends_with_one_event(world: World) -> None:
    done = run("upload", str(world.root / "gone"), *world.local, "--log-format", "json").expect(2)
    failed = events(done.err.splitlines()[0])[0]
    assert (failed["event"], failed["level"], failed["exit_code"]) == ("run.failed", "error", 2)
