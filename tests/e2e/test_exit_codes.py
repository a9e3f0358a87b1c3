"""Every exit code of a run, and the `--json` output that goes with it."""

from __future__ import annotations

import contextlib
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from e2e_world import TOKEN, Ended, World, ended, run, serving, started, wait_for

from bulkup.errors import JournalError
from bulkup.journal import Reader

FILES = {"found", "skipped", "uploaded", "failed", "rejected", "changed", "unreadable", "remaining", "unverified"}


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Return a world with a few files."""
    world = World(tmp_path)
    world.fill(12)
    return world


def test_0_and_the_shape_of_the_summary(world: World) -> None:
    """All files are uploaded. The summary has the documented keys, and `found` is the sum of the other counts."""
    done = world.upload(*world.local).expect(0)
    summary = done.summary
    assert [line["event"] for line in done.lines] == ["file"] * 12 + ["summary"]
    assert set(summary) >= {"event", "run", "exit_code", "files", "bytes", "presign", "retries", "seconds"}
    assert set(summary["files"]) == FILES
    files: dict[str, Any] = summary["files"]
    assert files["found"] == 12 == sum(files[name] for name in FILES - {"found", "unverified"})
    size = sum(path.stat().st_size for path in world.source.rglob("*") if path.is_file())
    assert summary["bytes"] == {"found": size, "uploaded": size}
    assert summary["presign"] == {"calls": 1, "files": 12, "renewed": 0}
    assert summary["exit_code"] == summary["retries"] == 0


def test_1_when_files_fail_for_good(world: World) -> None:
    """Storage always answers with a wrong ETag. The summary and the log report the failed files."""
    with serving(world.store, "--fault", "wrong-etag") as url:
        done = world.upload(*world.to(url), env=TOKEN).expect(1, "file not uploaded")
    assert done.summary["files"]["failed"] == 12
    assert done.summary["exit_code"] == 1


def test_2_for_wrong_usage(world: World) -> None:
    """Usage errors of every layer: an unknown option, an invalid value, a missing source."""
    assert run("upload", "--no-such-option").code == 2
    run("upload", str(world.source), "--provider", "local", "--concurrency", "many").expect(2, "--concurrency")
    gone = run("upload", str(world.source / "gone"), "--provider", "local", "--json").expect(2, "gone")
    assert gone.lines == [
        {"event": "error", "exit_code": 2, "message": gone.lines[0]["message"], "hint": gone.lines[0]["hint"]}
    ]


def test_3_when_the_service_does_not_take_a_file(world: World) -> None:
    """A file with an unknown extension is rejected with a reason, or skipped with `unsupported = "skip"`."""
    (world.source / ".DS_Store").write_bytes(b"x")
    with serving(world.store) as url:
        done = world.upload(*world.to(url), env=TOKEN).expect(3, ".DS_Store")
        assert done.summary["files"]["rejected"] == 1
        skipping = world.upload(*world.to(url), "--unsupported", "skip", env=TOKEN).expect(0)
    assert skipping.summary["files"]["skipped"] == 13


def test_4_when_the_key_is_refused(world: World) -> None:
    """A wrong key ends the run with one message. A run with a valid key uploads all files."""
    with serving(world.store) as url:
        done = world.upload(*world.to(url), env={"BULKUP_TOKEN": "wrong-key"}).expect(4, "credentials are refused")
        assert done.summary["files"]["remaining"] == 12
        assert [line["event"] for line in done.lines] == ["error", "summary"]
        assert "wrong-key" not in done.out + done.err
        world.upload(*world.to(url), env=TOKEN).expect(0)
    world.verify()


@contextlib.contextmanager
def holding(world: World, url: str, size: int) -> Iterator[subprocess.Popen[bytes]]:
    """Start a run that holds the journal while it sends a file of that size to a store that reads 64 KiB/s."""
    (world.source / "slow.mp4").write_bytes(b"x" * size)
    with started("upload", str(world.source), "--json", *world.to(url), env=TOKEN) as process:
        wait_for(lambda: is_held(world))
        yield process


def is_held(world: World) -> bool:
    """Return whether a run holds the journal."""
    with contextlib.suppress(JournalError), Reader(str(world.journal)) as reader:
        return reader.status().running
    return False  # the run has not opened it yet


def test_5_while_another_run_holds_the_journal(world: World) -> None:
    """The second run ends at once, or waits on request and then finds everything uploaded."""
    with serving(world.store, "--fault", "slow-body") as url, holding(world, url, 300_000) as first:
        first.send_signal(signal.SIGSTOP)  # else it could end before the second run has started
        refused = world.upload(*world.to(url), env=TOKEN).expect(5, f"process {first.pid}", "--wait")
        assert refused.lines[-1]["exit_code"] == 5
        first.send_signal(signal.SIGCONT)
        waited = world.upload(*world.to(url), "--wait", env=TOKEN).expect(0)
        ended(first).expect(0)
    assert waited.summary["files"]["skipped"] == 13


def test_7_when_standard_output_cannot_be_written(world: World) -> None:
    """A full disk behind `--json` is reported, and the files are uploaded all the same."""
    with open("/dev/full", "wb") as full, started(*upload(world), stdout=full) as process:
        _, err = process.communicate()
    Ended(process.returncode, "", err.decode()).expect(7, "cannot write standard output: No space left")
    world.verify()


def test_a_reader_that_goes_away_does_not_matter(world: World) -> None:
    """If the reader closes standard output, the run ends normally and without an error message."""
    with started(*upload(world), "--log-level", "error") as process:
        assert process.stdout is not None
        process.stdout.close()
        process.stdout = None
        _, err = process.communicate()
    assert (process.returncode, err) == (0, b"")
    world.verify()


def upload(world: World) -> tuple[str, ...]:
    """Return the arguments of an upload to an embedded server of its own."""
    return ("upload", str(world.source), "--json", *world.local)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_lets_files_in_flight_finish(world: World, number: signal.Signals, code: int) -> None:
    """After the first signal, files in flight are finished. The next run uploads the others."""
    for count in range(20):
        (world.source / f"{count}.mp4").write_bytes(b"x" * 30_000)  # half a second each at 64 KiB/s
    options = ("--concurrency", "1", "--batch-size", "4")
    with (
        serving(world.store, "--fault", "slow-body") as url,
        started("upload", str(world.source), "--json", *world.to(url), *options, env=TOKEN) as process,
    ):
        assert process.stdout is not None
        first = process.stdout.readline()
        process.send_signal(number)
        done = ended(process).expect(code, "a second signal stops at once")
        files = Ended(code, first.decode() + done.out, "").summary["files"]
        assert files["uploaded"] >= 1
        assert files["remaining"] >= 1
        assert world.settled() == files["uploaded"]
        world.upload(*world.to(url), "--concurrency", "32", env=TOKEN).expect(0)
    world.verify()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_second_signal_stops_at_once(world: World, number: signal.Signals, code: int) -> None:
    """The second signal does not wait for files in flight."""
    (world.source / "huge.mp4").write_bytes(b"x" * 20_000_000)  # five minutes at 64 KiB/s
    with (
        serving(world.store, "--fault", "slow-body") as url,
        started("upload", str(world.source), "--json", *world.to(url), "--grace", "1h", env=TOKEN) as process,
    ):
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.send_signal(number)
        while b"stopping" not in process.stderr.readline():
            pass
        process.send_signal(number)
        ended(process).expect(code)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_before_the_run_has_begun(world: World, number: signal.Signals, code: int) -> None:
    """A run that still waits for the journal ends with the same status, and says that it had not started."""
    with (
        serving(world.store, "--fault", "slow-body") as url,
        holding(world, url, 20_000_000),
        started("upload", str(world.source), "--json", "--wait", *world.to(url), env=TOKEN) as second,
    ):
        assert second.stderr is not None
        while b"waiting for another run" not in second.stderr.readline():
            pass
        second.send_signal(number)
        done = ended(second).expect(code, "interrupted before the run began")
    assert done.lines[-1]["exit_code"] == code
