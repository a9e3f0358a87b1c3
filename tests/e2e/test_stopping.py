"""Runs that end early, from outside: signals of every kind at every moment, time that is up, too many failures."""

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
    """A world with a few files."""
    world = World(tmp_path)
    world.fill(12)
    return world


@contextlib.contextmanager
def uploading(world: World, url: str, *options: str, **kwargs: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A run to a server, in the middle of it."""
    arguments = ("upload", str(world.source), "--json", *world.to(url), *options)
    with started(*arguments, env=TOKEN, **kwargs) as process:
        yield process


def said(process: subprocess.Popen[bytes], text: bytes) -> None:
    """Return once the run has said something on standard error."""
    assert process.stderr is not None
    while text not in (line := process.stderr.readline()):
        assert line, process.wait()


def last_run(world: World) -> str:
    """What `status` says of the last run."""
    with Reader(str(world.journal)) as reader:
        return status_text(reader.status()).plain.splitlines()[-1]


def has_begun(world: World) -> bool:
    """Whether the journal knows of a run."""
    with contextlib.suppress(JournalError), Reader(str(world.journal)) as reader:
        return reader.status().last_run is not None
    return False


def goes_on(world: World, url: str) -> dict[str, Any]:
    """The next run, against a server on the same address without faults, does all; returns its summary."""
    with serving(world.store, "--port", url.rpartition(":")[2]) as again:
        summary = world.upload(*world.to(again), env=TOKEN).expect(0).summary
    files = summary["files"]
    assert files["uploaded"] + files["skipped"] == files["found"] == world.settled()
    return summary


def test_6_when_the_time_is_up(world: World) -> None:
    """No new file is begun; what is left is said, by the run and by `status`, and the next run does it."""
    for count in range(40):
        (world.source / f"{count}.mp4").write_bytes(b"x" * 30_000 + bytes([count]))  # half a second each at 64 KiB/s
    with serving(world.store, "--fault", "slow-body") as url:
        options = ("--concurrency", "1", "--max-duration", "2")
        done = run("upload", str(world.source), *world.to(url), *options, env=TOKEN).expect(6, "time is up")
        assert "time was up" in done.out
        assert "run the same command again to go on" in done.out
        assert "6 (time was up)" in last_run(world)
        assert world.settled() == puts(url)
    assert goes_on(world, url)["files"]["uploaded"] >= 1
    world.prove()


def test_1_when_too_many_files_fail(world: World) -> None:
    """The run says why it stopped, on both channels, and what is left."""
    with serving(world.store, "--fault", "wrong-etag") as url:
        options = ("--concurrency", "1", "--max-failures", "2")
        done = world.upload(*world.to(url), *options, env=TOKEN).expect(1, "failed for good (max_failures is 2)")
    error, summary = done.lines[-2:]
    assert (error["event"], error["exit_code"], summary["event"]) == ("error", 1, "summary")
    assert summary["files"]["failed"] >= 2
    assert "1 (some files failed)" in last_run(world)


@pytest.mark.parametrize("option", [("--max-failures", "0"), ("--max-duration", "0")])
def test_2_for_a_limit_that_makes_no_sense(world: World, option: tuple[str, str]) -> None:
    """Zero could mean "none" or "no limit", so it is refused, with what is expected."""
    world.upload(*world.local, *option).expect(2, option[0], "expected")
    assert not world.journal.exists()


def test_a_signal_during_the_scan(world: World) -> None:
    """A run that still reads the list of its files ends, and has lost none of those that came."""
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
            process.wait()  # with its standard input open
            process.stdin.close()
            process.stdin = None
            done = ended(process).expect(143)
        assert (line["status"], done.summary["files"]["uploaded"]) == ("uploaded", 1)
    assert "143 (terminated)" in last_run(world)


def test_a_signal_while_the_api_throttles(world: World) -> None:
    """Nobody waits for the time that the service asked for, nor for the grace."""
    with (
        answering(lambda *_: (429, {"Retry-After": "200"}, b"")) as url,
        uploading(world, url, "--grace", "1h") as process,
    ):
        said(process, b"429")
        process.send_signal(signal.SIGTERM)
        done = ended(process).expect(143)
    assert done.summary["files"]["remaining"] == 12
    goes_on(world, url)


def test_a_signal_while_the_api_is_silent(world: World) -> None:
    """Without grace a call that is not answered is cut off, and counted for the ids that it may have made."""
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
    goes_on(world, url)
    with Reader(str(world.journal)) as reader:
        assert [(orphan.remote_id, orphan.count) for orphan in reader.orphans()] == [(None, 12)]


@pytest.mark.parametrize("grace", ["0", "0.3"])
def test_what_a_grace_does_not_suffice_for(world: World, grace: str) -> None:
    """Storage that does not read: the file is given back with its ticket, and goes up whole with the next run."""
    (world.source / "huge.mp4").write_bytes(b"x" * 20_000_000)  # five minutes at 64 KiB/s
    with serving(world.store, "--fault", "slow-body") as url, uploading(world, url, "--grace", grace) as process:
        wait_for(lambda: world.settled() > 0)
        process.send_signal(signal.SIGTERM)
        ended(process).expect(143)
    assert goes_on(world, url)["reused_tickets"] >= 1
    with Reader(str(world.journal)) as reader:
        assert list(reader.orphans()) == []


@contextlib.contextmanager
def in_flight(world: World, size: int, *options: str, **kwargs: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A run that is sending a file of that size at 64 KiB/s; small ones are done."""
    (world.source / "slow.mp4").write_bytes(b"x" * size)
    with serving(world.store, "--fault", "slow-body") as url, uploading(world, url, *options, **kwargs) as process:
        wait_for(lambda: world.settled() == 12)
        yield process


def test_sigterm_after_sigint_stops_at_once(world: World) -> None:
    """The second signal is what the exit status tells, and nothing that was recorded is lost."""
    with in_flight(world, 20_000_000, "--grace", "1h") as process:
        process.send_signal(signal.SIGINT)
        said(process, b"a second signal stops at once")
        process.send_signal(signal.SIGTERM)
        ended(process).expect(143)
    assert "cut off; the same command goes on" in last_run(world)
    assert world.settled() == 12


def test_a_hangup_lets_what_is_in_flight_finish(world: World) -> None:
    """SIGHUP is a SIGTERM with a number of its own, and however often it comes it is never the second signal."""
    with in_flight(world, 100_000, "--grace", "1h") as process:
        process.send_signal(signal.SIGHUP)
        said(process, b"stopping")
        process.send_signal(signal.SIGHUP)
        done = ended(process).expect(129)
    assert done.summary["files"]["uploaded"] == 13
    assert "129 (its terminal was closed)" in last_run(world)


def test_a_terminal_that_is_closed(world: World) -> None:
    """A run whose terminal goes away, live view, log and all, finishes what is in flight and ends with 129."""
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
    assert "129 (its terminal was closed)" in last_run(world)


def take_terminal() -> None:
    """Make standard input the terminal of a session of our own."""
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def test_a_signal_while_nobody_reads_the_lines(world: World) -> None:
    """A run that is held up by the reader of `--json` obeys: the first signal ends it in order, the second at once."""
    with serving(world.store) as url, unread(world, url, "--grace", "1h") as process:
        process.send_signal(signal.SIGTERM)
        said(process, b"stopping")
        process.send_signal(signal.SIGINT)
        assert process.wait() == 130
        # What storage took a moment ago may go once more, and that is no more than there are workers.
        assert world.settled() <= puts(url) <= world.settled() + 2


@pytest.mark.slow
def test_a_reader_that_never_reads_again(world: World) -> None:
    """One signal is enough: results are no longer waited for when what is in flight has ended."""
    with serving(world.store) as url:
        with unread(world, url, "--grace", "0") as process:
            process.send_signal(signal.SIGTERM)
            assert process.wait() == 143
            assert world.settled() == puts(url)
        assert "143 (terminated)" in last_run(world)
        world.upload(*world.to(url), env=TOKEN).expect(0)
    world.prove()


@contextlib.contextmanager
def unread(world: World, url: str, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """A run that is held up because nobody reads its standard output."""
    world.fill(60, seed=2)
    with uploading(world, url, *options, "--concurrency", "2", "--batch-size", "4") as process:
        assert process.stdout is not None
        fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, 4096)
        seen = [-1, -2]
        while seen[-1] != seen[-2] or seen[-1] < 1:
            seen.append(puts(url))
        yield process


def test_a_second_signal_while_nobody_reads_the_log(world: World) -> None:
    """Standard error that is full holds up the whole run; a second signal ends it all the same."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    os.write(writer, b"x" * 4096)
    with serving(world.store) as url, uploading(world, url, stderr=writer) as process:
        wait_for(lambda: has_begun(world))
        time.sleep(0.5)  # it is about to say so, and waits for its reader
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGINT)
        assert process.wait() in (130, 143)  # nothing tells which one came first
    os.close(reader)
    os.close(writer)


def test_a_log_that_nobody_reads_any_more(world: World) -> None:
    """Standard error closed by its reader: SIGPIPE kills nobody, and the run ends as it would have."""
    with started("upload", str(world.source), "--json", *world.local, "--log-level", "debug") as process:
        assert process.stderr is not None
        process.stderr.close()
        process.stderr = None
        out, _ = process.communicate()
    Ended(process.returncode, out.decode(), "").expect(0)
    world.prove()
