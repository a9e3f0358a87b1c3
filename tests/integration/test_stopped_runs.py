"""Runs that end early without a fault: files in flight, files that remain, and the next run."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest
from pipeline_world import QUICK_RETRIES, World, world

from bulkup import ExitCode, FileState, Result, TooManyFailuresError, Uploader
from bulkup.errors import ListError
from bulkup.helpers.clock import Clock
from bulkup.journal import Journal
from bulkup.localserver import FaultOptions, ReadPace
from bulkup.model.http import ApiCall
from bulkup.model.items import Outcome, Ticketed
from bulkup.pipeline import Tunables
from bulkup.pipeline.send.attempt import LocalSender
from bulkup.providers import FileSpec
from bulkup.providers.magic_hour.adapter import MagicHour


@pytest.fixture
async def here(tmp_path: Path) -> AsyncGenerator[World, None]:
    async with world(tmp_path) as place:
        yield place


@pytest.fixture
def slowly(here: World) -> None:
    """Have the store read 80 KiB/s, in small steps."""
    here.faults("slow-body", options=FaultOptions(slow_pace=ReadPace(4096, 0.05)))


async def sending(uploader: Uploader) -> None:
    """Return when a file is being sent."""
    while not uploader.gauge.depths()["sending"]:
        await anyio.sleep(0.01)


@pytest.mark.usefixtures("slowly")
async def test_time_up_finishes_the_files_in_flight(here: World) -> None:
    """`grace` does not limit them. Other files remain, and the next run uses their tickets."""
    here.write({f"{number}.mov": os.urandom(60_000) for number in range(4)})
    async with here.uploader(grace=0, concurrency=1) as uploader, anyio.create_task_group() as tasks:
        tasks.start_soon(uploader.run)
        await sending(uploader)
        uploader.stop(ExitCode.TIME_UP)
    counters = uploader.summary.counters
    assert (uploader.summary.exit_code, counters.uploaded, counters.remaining) == (ExitCode.TIME_UP, 1, 3)
    assert uploader.summary.error is None
    here.faults()
    again = await here.run()
    assert (again.exit_code, again.counters.skipped, again.counters.reused_tickets) == (0, 1, 3)
    here.assert_uploaded()
    assert (here.puts, here.orphans()) == (4, [])


@pytest.mark.usefixtures("slowly")
async def test_a_signal_after_time_up_ends_the_run_within_its_grace(here: World) -> None:
    """The exit code is that of the signal."""
    here.write({"slow.mov": os.urandom(100_000)})
    async with here.uploader(grace=0) as uploader, anyio.create_task_group() as tasks:
        tasks.start_soon(uploader.run)
        await sending(uploader)
        uploader.stop(ExitCode.TIME_UP)
        await anyio.sleep(0.1)
        uploader.stop(ExitCode.SIGTERM)
    assert (uploader.summary.exit_code, uploader.summary.counters.remaining) == (ExitCode.SIGTERM, 1)


@pytest.mark.usefixtures("slowly")
async def test_max_duration_counts_from_the_start_of_the_run(here: World) -> None:
    """The run ends by itself."""
    here.write({f"{number}.mov": os.urandom(40_000) for number in range(100)})
    summary = await here.run(max_duration=0.6, concurrency=1)
    assert summary.exit_code == ExitCode.TIME_UP
    assert summary.counters.remaining >= 90
    assert summary.counters.uploaded == here.puts


@pytest.mark.parametrize("duration", [0.001, 1e-9])
async def test_a_max_duration_that_is_over_at_once(here: World, duration: float) -> None:
    """It is over before the run has begun."""
    here.write_many(5)
    summary = await here.run(max_duration=duration)
    assert (summary.exit_code, summary.counters.uploaded) == (ExitCode.TIME_UP, 0)


async def test_time_up_waits_for_presign_calls_within_the_grace(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their files would not be sent. Files in flight are finished, also after the grace."""
    presign, asked, left = MagicHour.presign, anyio.Event(), itertools.count()

    async def slow(self: MagicHour, specs: list[FileSpec], call: ApiCall) -> Any:
        if next(left):
            asked.set()
            await anyio.sleep_forever()
        return await presign(self, specs, call)

    here.write({f"{number}.mov": os.urandom(60_000) for number in range(4)})
    here.faults("slow-body", options=FaultOptions(slow_pace=ReadPace(4096, 0.05)))
    with monkeypatch.context() as patch:
        patch.setattr(MagicHour, "presign", slow)
        async with here.uploader(grace=0.1, batch_size=1) as uploader, anyio.create_task_group() as tasks:
            tasks.start_soon(uploader.run)
            await sending(uploader)
            with anyio.fail_after(30):
                await asked.wait()
            uploader.stop(ExitCode.TIME_UP)
    counters = uploader.summary.counters
    assert (uploader.summary.exit_code, counters.uploaded, counters.remaining) == (ExitCode.TIME_UP, 1, 3)
    here.faults()
    assert (await here.run()).exit_code == 0
    here.assert_uploaded()
    assert {orphan.remote_id for orphan in here.orphans()} == {None}
    assert sum(orphan.count for orphan in here.orphans()) <= 3


async def test_time_up_after_the_last_file_changes_nothing(here: World) -> None:
    """The run is complete: no file remains, and the exit code is 0."""
    here.write_many(5)
    async with here.uploader() as uploader:
        seen = 0
        async for _ in uploader.results():
            seen += 1
            if seen == 5:
                uploader.stop(ExitCode.TIME_UP)
    assert (uploader.summary.exit_code, uploader.summary.counters.remaining) == (0, 0)


async def test_time_up_before_the_scan_is_not_complete(here: World) -> None:
    """No file was found yet."""
    here.write_many(5)
    async with here.uploader() as uploader:
        uploader.stop(ExitCode.TIME_UP)
        summary = await uploader.run()
    assert (summary.exit_code, here.calls) == (ExitCode.TIME_UP, 0)


async def test_max_failures_stops_the_run(here: World) -> None:
    """The run names the reason. The next one uploads the remaining and the failed files."""
    here.write_many(40)
    here.faults("wrong-etag")
    summary = await here.run(max_failures=3, concurrency=1)
    assert summary.exit_code == ExitCode.FILES_FAILED
    assert isinstance(summary.error, TooManyFailuresError)
    assert "max_failures is 3" in summary.error.message
    assert summary.counters.failed >= 3
    assert summary.counters.remaining
    here.faults()
    assert (await here.run()).exit_code == 0
    here.assert_uploaded()


async def test_fewer_failures_than_max_failures_change_nothing(here: World) -> None:
    here.write_many(4)
    here.faults("wrong-etag")
    summary = await here.run(max_failures=5)
    assert (summary.exit_code, summary.error, summary.counters.failed) == (1, None, 4)


async def test_max_failures_reached_by_the_last_file_changes_nothing(here: World) -> None:
    """No file was left to be stopped."""
    here.write_many(1)
    here.faults("wrong-etag")
    summary = await here.run(max_failures=1)
    assert (summary.exit_code, summary.error, summary.counters.remaining) == (1, None, 0)


async def stopped_at(here: World, holds: Callable[[Uploader], Awaitable[Any]], **changes: Any) -> Any:
    """Run, stop the run when `holds` returns, and return the summary."""
    async with here.uploader(**changes) as uploader, anyio.create_task_group() as tasks:
        tasks.start_soon(uploader.run)
        with anyio.fail_after(30):
            await holds(uploader)
            uploader.stop(ExitCode.SIGTERM)
    return uploader.summary


async def test_a_stop_while_the_api_throttles(here: World) -> None:
    """Waiting files are given back at once, without waiting for the service or the grace."""
    here.write_many(30)
    here.faults("retry-later")

    async def throttled(uploader: Uploader) -> None:
        while not uploader.gauge.counters.retries:
            await anyio.sleep(0.01)

    summary = await stopped_at(here, throttled, grace=3600)
    assert (summary.exit_code, summary.counters.remaining) == (ExitCode.SIGTERM, 30)
    here.faults()
    assert (await here.run(retry_after_max=0)).exit_code == 0
    here.assert_uploaded()
    assert here.orphans() == []


async def test_a_stop_while_a_call_hangs(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a grace the call is cancelled, and the ids that it may have created are counted."""
    here.write_many(10)
    asked = anyio.Event()

    async def silent(_self: MagicHour, _specs: list[FileSpec], _call: ApiCall) -> Any:
        asked.set()
        await anyio.sleep_forever()

    with monkeypatch.context() as patch:
        patch.setattr(MagicHour, "presign", silent)
        summary = await stopped_at(here, lambda _: asked.wait(), grace=0)
    assert (summary.exit_code, summary.counters.remaining) == (ExitCode.SIGTERM, 10)
    assert (await here.run()).exit_code == 0
    assert [(orphan.remote_id, orphan.count) for orphan in here.orphans()] == [(None, 10)]
    here.assert_uploaded()


async def test_a_stop_during_the_last_commit(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that storage took within the grace are recorded, counted and reported."""
    here.write_many(8)
    settled, send = Journal.settled, LocalSender.send
    first, writing, proceed = anyio.Event(), anyio.Event(), anyio.Event()

    async def late(self: Journal, outcomes: Sequence[Outcome], now: float) -> None:
        writing.set()
        await proceed.wait()
        await settled(self, outcomes, now)

    async def after_the_first(self: LocalSender, *values: Any) -> Any:
        if first.is_set():
            await writing.wait()
        first.set()
        return await send(self, *values)

    received: list[Result] = []

    async def emit(group: Sequence[Result]) -> None:
        received.extend(group)

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "settled", late)
        patch.setattr(LocalSender, "send", after_the_first)
        async with here.uploader(grace=0) as uploader, anyio.create_task_group() as tasks:
            tasks.start_soon(uploader.run, emit)
            while uploader.gauge.depths()["recording"] < 7:
                await anyio.sleep(0.01)
            uploader.stop(ExitCode.SIGINT)
            await anyio.sleep(0.1)
            proceed.set()
    assert uploader.summary.exit_code == ExitCode.SIGINT
    assert here.puts == uploader.summary.counters.uploaded == len(received) == 8
    assert (await here.run()).counters.skipped == 8


async def test_a_stop_with_a_stuck_reader_of_results(here: World) -> None:
    """The run ends. All files on disk are counted, reported or not."""
    here.tunables = Tunables(last_results=0.1)
    here.write_many(8)
    stuck = anyio.Event()

    async def never(_: Any) -> None:
        stuck.set()
        await anyio.sleep_forever()

    async with here.uploader(grace=0) as uploader, anyio.create_task_group() as tasks:
        tasks.start_soon(uploader.run, never)
        await stuck.wait()
        uploader.stop(ExitCode.SIGINT)
    assert uploader.summary.exit_code == ExitCode.SIGINT
    done = sum(state is FileState.UPLOADED for state in here.states().values())
    assert 0 < uploader.summary.counters.uploaded == done
    assert (await here.run()).exit_code == 0
    assert here.puts == 8


async def test_a_stop_while_storage_cuts_connections(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Failed attempts are not repeated. The files remain with their tickets."""
    here.write_many(3)
    send, begun = LocalSender.send, anyio.Event()

    async def held(self: LocalSender, file: Ticketed, *values: Any) -> Any:
        begun.set()
        await anyio.sleep(0.1)
        return await send(self, file, *values)

    here.faults("cut-body")
    with monkeypatch.context() as patch:
        patch.setattr(LocalSender, "send", held)
        summary = await stopped_at(here, lambda _: begun.wait(), grace=3600, concurrency=3)
    assert (summary.exit_code, summary.counters.remaining, summary.counters.failed) == (ExitCode.SIGTERM, 3, 0)
    here.faults()
    again = await here.run()
    assert (again.exit_code, again.counters.reused_tickets) == (0, 3)
    assert here.orphans() == []


async def test_a_list_that_breaks_off_in_the_middle_is_an_incomplete_run(here: World) -> None:
    """The files named before it may have been sent, so it is not called wrong usage."""
    here.write_many(40)
    names = sorted(path.relative_to(here.source) for path in here.source.rglob("*.mp4"))
    listed = here.folder / "names"
    listed.write_bytes(b"".join(b"%s\n" % str(name).encode() for name in names) + b"a\0b\n")
    summary = await here.run(files_from=str(listed))
    assert summary.exit_code == 3
    assert isinstance(summary.error, ListError)
    assert "after 40 names" in summary.error.message
    listed.write_bytes(listed.read_bytes().replace(b"a\0b\n", b""))
    assert (await here.run(files_from=str(listed))).exit_code == 0
    here.assert_uploaded()


@pytest.mark.parametrize("provider", ["magic-hour", "s3", "metastudio"])
async def test_max_files_sends_that_many_and_leaves_the_rest(here: World, provider: str) -> None:
    """No URL is requested for the rest. Files that an earlier run sent do not count, so every run gets further."""
    here.provider = provider
    here.write_many(10)
    for done in (4, 8):
        summary = await here.run(max_files=4)
        assert (summary.exit_code, summary.counters.uploaded, here.puts) == (ExitCode.TIME_UP, 4, done)
        assert summary.counters.presign_files == 4
        assert summary.error is None
    last = await here.run(max_files=4)
    assert (last.exit_code, last.counters.uploaded, last.counters.skipped) == (0, 2, 8)
    here.assert_uploaded()
    assert here.orphans() == []


async def test_max_files_that_all_files_fit_into(here: World) -> None:
    """Nothing is left, so the run is complete."""
    here.write_many(4)
    assert (await here.run(max_files=4)).exit_code == 0


async def test_files_of_max_files_are_sent_with_all_retries(here: World) -> None:
    """The limit stops nothing that was begun."""
    here.tunables = QUICK_RETRIES
    here.write_many(8)
    here.faults("cut-body,first=6")
    summary = await here.run(max_files=3)
    assert (summary.exit_code, summary.counters.uploaded) == (ExitCode.TIME_UP, 3)
    assert summary.counters.retries >= 3


async def test_files_that_are_read_again_and_unchanged_do_not_count(here: World) -> None:
    """With `identity = "content"` every file is read in every run. The limit must not be used up by that."""
    here.write_many(20)
    for _ in range(4):
        await here.run(identity="content", max_files=5)
    assert (await here.run(identity="content", max_files=5)).exit_code == 0
    assert here.puts == 20


async def test_urls_of_an_earlier_run_count_as_well(here: World) -> None:
    """They are used before new ones are requested for other files."""
    here.write_many(6)
    async with here.uploader() as uploader, anyio.create_task_group() as tasks:
        tasks.start_soon(uploader.run)
        while not uploader.gauge.counters.presign_files:
            await anyio.sleep(0.001)
        uploader.stop(ExitCode.TIME_UP)
    left = 6 - here.puts
    summary = await here.run(max_files=1)
    assert summary.counters.uploaded == min(1, left)
    assert (await here.run()).exit_code == 0
    here.assert_uploaded()


async def test_max_bytes_ends_with_the_file_that_reaches_it(here: World) -> None:
    """A file larger than the limit is sent, or no run could ever send it."""
    here.write({f"{number}.mov": os.urandom(1000) for number in range(5)})
    summary = await here.run(max_bytes=2500)
    assert (summary.exit_code, summary.counters.uploaded, here.puts) == (ExitCode.TIME_UP, 3, 3)
    summary = await here.run(max_bytes=1)
    assert (summary.exit_code, summary.counters.uploaded) == (ExitCode.TIME_UP, 1)
    assert (await here.run(max_bytes=1)).exit_code == 0


@pytest.mark.usefixtures("slowly")
async def test_until_ends_the_run_at_a_time_of_day(here: World) -> None:
    """Files in flight are finished. The clock of the run shows a time shortly before it."""
    here.clock = YesterdayAt(5, 59, 59.5)
    here.write({f"{number}.mov": os.urandom(40_000) for number in range(100)})
    summary = await here.run(until="06:00", concurrency=1)
    assert summary.exit_code == ExitCode.TIME_UP
    assert summary.counters.remaining >= 90
    assert summary.counters.uploaded == here.puts


async def test_until_after_the_end_of_the_run_changes_nothing(here: World) -> None:
    """The time has passed today, so tomorrow's counts."""
    here.clock = YesterdayAt(6, 0, 1.0)
    here.write_many(5)
    assert (await here.run(until="06:00")).exit_code == 0


class YesterdayAt(Clock):
    """Shows a local time of yesterday at first, and runs on. A clock that is ahead would find all URLs expired."""

    def __init__(self, hour: int, minute: int, second: float) -> None:
        today = time.localtime()
        begin = time.mktime((today.tm_year, today.tm_mon, today.tm_mday - 1, hour, minute, 0, 0, 0, -1))
        self._ahead = begin + second - time.time()

    def now(self) -> float:
        return time.time() + self._ahead

    def monotonic(self) -> float:
        return time.monotonic()
