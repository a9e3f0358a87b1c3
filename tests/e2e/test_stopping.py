"""Runs that are ended early: by signals at every moment, by `max_duration`, and by `max_failures`."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import termios
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from e2e_world import TOKEN, Answer, Ended, World, answering, ended, puts, run, serving, started, wait_for

from bulkup.errors import JournalError
from bulkup.journal import Reader
from bulkup.reports.tables import status_text


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Return a world with a few files."""
    world = World(tmp_path)
    world.fill(12)
    return world


@contextlib.contextmanager
def uploading(world: World, url: str, *options: str, **kwargs: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Start a run to a server, and yield it once files are on their way."""
    arguments = ("upload", str(world.source), "--json", *world.to(url), *options)
    with started(*arguments, env=TOKEN, **kwargs) as process:
        yield process


def said(process: subprocess.Popen[bytes], text: bytes) -> None:
    """Return once the text has appeared on standard error."""
    assert process.stderr is not None
    while text not in (line := process.stderr.readline()):
        assert line, process.wait()


def last_run(world: World) -> str:
    """Return the last run, as `status` reports it."""
    with Reader(str(world.journal)) as reader:
        return status_text(reader.status()).plain.splitlines()[-1]


def has_begun(world: World) -> bool:
    """Return whether the journal contains a run."""
    with contextlib.suppress(JournalError), Reader(str(world.journal)) as reader:
        return reader.status().last_run is not None
    return False


def resumes(world: World, url: str) -> dict[str, Any]:
    """Run again, against a server without faults on the same address. All files must be uploaded."""
    with serving(world.store, "--port", url.rpartition(":")[2]) as again:
        summary = world.upload(*world.to(again), env=TOKEN).expect(0).summary
    files = summary["files"]
    assert files["uploaded"] + files["skipped"] == files["found"] == world.settled()
    return summary


def test_6_when_the_time_is_up(world: World) -> None:
    """No new file is started. The run and `status` report the remaining files, and the next run uploads them."""
    for count in range(40):
        (world.source / f"{count}.mp4").write_bytes(b"x" * 30_000 + bytes([count]))  # half a second each at 64 KiB/s
    with serving(world.store, "--fault", "slow-body") as url:
        options = ("--concurrency", "1", "--max-duration", "2")
        done = run("upload", str(world.source), *world.to(url), *options, env=TOKEN).expect(6, "time is up")
        assert "stopped at a limit of time, files or bytes" in done.out
        assert "run the same command again to resume" in done.out
        assert "6 (stopped at a limit of time, files or bytes)" in last_run(world)
        assert world.settled() == puts(url)
    assert resumes(world, url)["files"]["uploaded"] >= 1
    world.verify()


def test_1_when_too_many_files_fail(world: World) -> None:
    """The run reports in the log and the JSON lines why it stopped, and how many files remain."""
    with serving(world.store, "--fault", "wrong-etag") as url:
        options = ("--concurrency", "1", "--max-failures", "2")
        done = world.upload(*world.to(url), *options, env=TOKEN).expect(1, "failed (max_failures is 2)")
    error, summary = done.lines[-2:]
    assert (error["event"], error["exit_code"], summary["event"]) == ("error", 1, "summary")
    assert summary["files"]["failed"] >= 2
    assert "1 (some files failed)" in last_run(world)


@pytest.mark.parametrize("option", [("--max-failures", "0"), ("--max-duration", "0")])
def test_2_for_a_limit_of_zero(world: World, option: tuple[str, str]) -> None:
    """Zero could mean "none" or "no limit", so it is refused with a list of valid values."""
    world.upload(*world.local, *option).expect(2, option[0], "expected")
    assert not world.journal.exists()


def test_a_signal_during_the_scan(world: World) -> None:
    """A run that still reads its list of files ends, and keeps the files that it has read."""
    first = next(path for path in sorted(world.source.rglob("*")) if path.is_file())
    with serving(world.store) as url:
        with uploading(world, url, "--files-from", "-", "--grace", "1h", stdin=subprocess.PIPE) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(os.fsencode(first.relative_to(world.source)) + b"\n")
            process.stdin.flush()
            line = json.loads(process.stdout.readline())
            assert last_run(world).endswith("running")
            process.send_signal(signal.SIGTERM)
            process.wait()  # its standard input is still open
            process.stdin.close()
            process.stdin = None
            done = ended(process).expect(143)
        assert (line["status"], done.summary["files"]["uploaded"]) == ("uploaded", 1)
    assert "143 (terminated)" in last_run(world)


def test_a_signal_while_the_api_throttles(world: World) -> None:
    """The run waits neither for the `Retry-After` of the service nor for the grace period."""
    with (
        answering(lambda *_: (429, {"Retry-After": "200"}, b"")) as url,
        uploading(world, url, "--grace", "1h") as process,
    ):
        said(process, b"429")
        process.send_signal(signal.SIGTERM)
        done = ended(process).expect(143)
    assert done.summary["files"]["remaining"] == 12
    resumes(world, url)


def test_a_signal_while_the_api_is_silent(world: World) -> None:
    """Without a grace period an unanswered call is cancelled. The ids that it may have created are counted."""
    asked, over = threading.Event(), threading.Event()

    def silent(_path: str, _body: bytes) -> Answer:
        asked.set()
        over.wait()
        return 503, {}, b""

    with answering(silent) as url, uploading(world, url, "--grace", "0") as process:
        asked.wait()
        process.send_signal(signal.SIGINT)
        done = ended(process).expect(130)
        over.set()
    assert done.summary["files"]["remaining"] == 12
    resumes(world, url)
    with Reader(str(world.journal)) as reader:
        assert [(orphan.remote_id, orphan.count) for orphan in reader.orphans()] == [(None, 12)]


@pytest.mark.parametrize("grace", ["0", "0.3"])
def test_a_file_that_takes_longer_than_the_grace_period(world: World, grace: str) -> None:
    """Storage does not read. The file keeps its ticket, and the next run sends it whole."""
    (world.source / "huge.mp4").write_bytes(b"x" * 20_000_000)  # five minutes at 64 KiB/s
    with serving(world.store, "--fault", "slow-body") as url, uploading(world, url, "--grace", grace) as process:
        wait_for(lambda: world.settled() > 0)
        process.send_signal(signal.SIGTERM)
        ended(process).expect(143)
    assert resumes(world, url)["reused_tickets"] >= 1
    with Reader(str(world.journal)) as reader:
        assert list(reader.orphans()) == []


@contextlib.contextmanager
def in_flight(world: World, size: int, *options: str, **kwargs: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Start a run that is sending a file of that size at 64 KiB/s, after all small files are uploaded."""
    (world.source / "slow.mp4").write_bytes(b"x" * size)
    with serving(world.store, "--fault", "slow-body") as url, uploading(world, url, *options, **kwargs) as process:
        wait_for(lambda: world.settled() == 12)
        yield process


def test_sigterm_after_sigint_stops_at_once(world: World) -> None:
    """The exit code is that of the second signal, and no recorded file is lost."""
    with in_flight(world, 20_000_000, "--grace", "1h") as process:
        process.send_signal(signal.SIGINT)
        said(process, b"a second signal stops at once")
        process.send_signal(signal.SIGTERM)
        ended(process).expect(143)
    assert "cut off; the same command resumes it" in last_run(world)
    assert world.settled() == 12


def test_a_hangup_lets_files_in_flight_finish(world: World) -> None:
    """SIGHUP acts like SIGTERM with its own exit code, but never counts as the second signal."""
    with in_flight(world, 100_000, "--grace", "1h") as process:
        process.send_signal(signal.SIGHUP)
        said(process, b"stopping")
        process.send_signal(signal.SIGHUP)
        done = ended(process).expect(129)
    assert done.summary["files"]["uploaded"] == 13
    assert "129 (the terminal was closed)" in last_run(world)


def test_a_terminal_that_is_closed(world: World) -> None:
    """A run whose terminal disappears finishes the files in flight and ends with 129."""
    ours, theirs = os.openpty()
    streams = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
    (world.source / "slow.mp4").write_bytes(b"x" * 100_000)
    with (
        serving(world.store, "--fault", "slow-body") as url,
        started("upload", str(world.source), *world.to(url), env=TOKEN, preexec_fn=take_terminal, **streams) as process,
    ):
        os.close(theirs)
        wait_for(lambda: len(os.read(ours, 1024)) > 0 and world.settled() == 12)
        os.close(ours)
        assert process.wait() == 129
    assert world.settled() == 13
    assert "129 (the terminal was closed)" in last_run(world)


def take_terminal() -> None:
    """Make standard input the controlling terminal of a new session."""
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def test_a_signal_while_standard_output_is_not_read(world: World) -> None:
    """The run is blocked by the reader of `--json`. The first signal ends it in order, the second one at once."""
    with serving(world.store) as url, unread(world, url, "--grace", "1h") as process:
        process.send_signal(signal.SIGTERM)
        said(process, b"stopping")
        process.send_signal(signal.SIGINT)
        assert process.wait() == 130
        # Files that storage has just taken may be sent again: at most one for each worker.
        assert world.settled() <= puts(url) <= world.settled() + 2


@pytest.mark.slow
def test_standard_output_that_is_never_read_again(world: World) -> None:
    """One signal is enough. Once the files in flight have ended, the run does not wait for its output any longer."""
    with serving(world.store) as url:
        with unread(world, url, "--grace", "0") as process:
            process.send_signal(signal.SIGTERM)
            assert process.wait() == 143
            assert world.settled() == puts(url)
        assert "143 (terminated)" in last_run(world)
        world.upload(*world.to(url), env=TOKEN).expect(0)
    world.verify()


@contextlib.contextmanager
def unread(world: World, url: str, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """Start a run that is blocked because its standard output is not read."""
    world.fill(60, seed=2)
    with uploading(world, url, *options, "--concurrency", "2", "--batch-size", "4") as process:
        assert process.stdout is not None
        fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, 4096)
        seen = [-1, -2]
        while seen[-1] != seen[-2] or seen[-1] < 1:
            seen.append(puts(url))
        yield process


def test_a_second_signal_while_standard_error_is_not_read(world: World) -> None:
    """A full pipe at standard error blocks the whole run. A second signal ends it."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    os.write(writer, b"x" * 4096)
    with serving(world.store) as url, uploading(world, url, stderr=writer) as process:
        wait_for(lambda: has_begun(world))
        time.sleep(0.5)  # it has a message to write, and waits for its reader
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGINT)
        assert process.wait() in (130, 143)  # the order of the two signals is not defined
    os.close(reader)
    os.close(writer)


def test_standard_error_that_its_reader_closes(world: World) -> None:
    """Standard error is closed by its reader. The run is not killed by SIGPIPE, and ends normally."""
    with started("upload", str(world.source), "--json", *world.local, "--log-level", "debug") as process:
        assert process.stderr is not None
        process.stderr.close()
        process.stderr = None
        out, _ = process.communicate()
    Ended(process.returncode, out.decode(), "").expect(0)
    world.verify()


PROFILE = '[profiles.night]\nprovider = "magic-hour"\ntoken = "local-token"\n'


def test_a_hangup_without_a_terminal_reads_the_profile_again(world: World) -> None:
    """The run continues with the new limit. A file with an error changes nothing."""
    (world.source / "slow.mp4").write_bytes(b"x" * 300_000)
    config = world.root / "bulkup.toml"
    config.write_text(PROFILE + 'bwlimit = "20k"\n')
    with serving(world.store) as url, of_profile(world, url, config) as process:
        wait_for(lambda: world.settled() > 0)
        config.write_text(PROFILE + 'bwlimit = "fast"\n')
        process.send_signal(signal.SIGHUP)
        said(process, b"the profile was not read again, nothing changes")
        config.write_text(PROFILE + 'bwlimit = "off"\n')
        process.send_signal(signal.SIGHUP)
        said(process, b"the profile was read again: bwlimit is off")
        done = ended(process).expect(0)
    assert done.summary["files"]["uploaded"] == 13
    world.verify()


def test_a_hangup_of_a_profile_with_a_terminal_ends_the_run(world: World) -> None:
    """It says that the terminal was closed."""
    ours, theirs = os.openpty()
    (world.source / "slow.mp4").write_bytes(b"x" * 100_000)
    config = world.root / "bulkup.toml"
    config.write_text(PROFILE)
    with (
        serving(world.store, "--fault", "slow-body") as url,
        of_profile(world, url, config, stdin=theirs, preexec_fn=take_terminal) as process,
    ):
        os.close(theirs)
        wait_for(lambda: world.settled() == 12)
        process.send_signal(signal.SIGHUP)
        ended(process).expect(129)
        os.close(ours)
    assert world.settled() == 13


@contextlib.contextmanager
def of_profile(world: World, url: str, config: Path, **kwargs: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Start a run of the profile `night` to a server, by default without a terminal as under a timer."""
    options = ("--profile", "night", "--config", str(config), "--base-url", url, "--journal", str(world.journal))
    session: dict[str, Any] = kwargs or {"start_new_session": True}
    with started("upload", str(world.source), "--json", *options, **session) as process:
        yield process
