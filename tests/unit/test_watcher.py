"""A watch: which runs it has carried out, by events and a clock of the test."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import cast

import anyio
import pytest
from stage_world import StageRun, settled
from structlog.testing import capture_logs

from bulkup.api.run_summary import Summary
from bulkup.api.watch.folder_events import EventsLostError, FolderEvent, Receive
from bulkup.api.watch.path_filter import PathFilter
from bulkup.api.watch.watch_plan import WatchOptions
from bulkup.api.watch.watcher import FoundSource, Paths, TooNew, Watcher
from bulkup.config.local_time import TimeOfDay
from bulkup.errors import BulkupError, ExitCode, MachineError, ServiceError, UsageError
from bulkup.model.log_events import LogEvent
from bulkup.pipeline import ScanOptions

ROOT, INNER = b"/data", b"/data/inner"
OPTIONS = WatchOptions(settle=5.0, interval=10.0, most_pending=3)
DOWN = ServiceError("it is down")


class FakeSummary:
    """The end of a run, as far as a watch reads it."""

    def __init__(self, exit_code: int = 0, error: BulkupError | None = None) -> None:
        self.exit_code = exit_code
        self.error = error


class Watch(StageRun):
    """A watch of two sources. `runs` has the paths of each run, None for all files, and `times` when they began.

    `ends` are the next ends of runs. While `held` is set, runs wait for it. `lost` are the errors that end the next
    calls for events.
    """

    def __init__(self) -> None:
        super().__init__()
        self.runs: list[Paths | None] = []
        self.times: list[float] = []
        self.ends: list[FakeSummary | Exception | None] = []
        self.held: anyio.Event | None = None
        self.too_new: TooNew = lambda root, path: None
        self.lost: list[EventsLostError] = []
        self.receive: Receive = lambda events: None
        self.began = 0
        self.found: list[FoundSource | None] = [FoundSource(ROOT, 1, 1), FoundSource(INNER, 1, 2)]
        self.roots = [ROOT, INNER]
        self.idle = 0
        self.code: int | None = None
        self.watcher = Watcher(
            [ROOT, INNER],
            TimeOfDay(3, 0),
            self._carry_out,
            clock=self.clock,
            idle=self._note_idle,
            options=OPTIONS,
            events=self._events,
            local=lambda unix: dt.datetime.fromtimestamp(unix, dt.UTC).replace(tzinfo=None),
            timeout=self.run.timeout,
            look=self._look,
        )

    async def _carry_out(self, paths: Paths | None, too_new: TooNew) -> Summary | None:
        self.runs.append(paths)
        self.times.append(self.clock.time)
        self.too_new = too_new
        await anyio.lowlevel.checkpoint()
        if self.held is not None:
            await self.held.wait()
        end = self.ends.pop(0) if self.ends else FakeSummary()
        if isinstance(end, Exception):
            raise end
        return cast("Summary", end)

    async def _events(self, roots: Sequence[bytes], receive: Receive) -> None:
        self.roots = list(roots)
        self.began += 1
        await anyio.lowlevel.checkpoint()
        if self.lost:
            raise self.lost.pop(0)
        self.receive = receive
        receive([])
        await anyio.sleep_forever()

    async def _look(self, roots: Sequence[bytes]) -> Sequence[FoundSource | None]:
        assert list(roots) == [ROOT, INNER]
        return list(self.found)

    def _note_idle(self) -> None:
        self.idle += 1

    def change(self, *paths: bytes, deleted: bool = False) -> None:
        self.receive([FolderEvent(path, deleted) for path in paths])

    @asynccontextmanager
    async def watching(self) -> AsyncGenerator[None, None]:
        async def work() -> None:
            self.code = await self.watcher.work()

        async with self.working(work):
            yield


async def test_all_files_are_looked_at_first_and_then_what_settles() -> None:
    """A path belongs to the innermost source. Deleted ones are forgotten."""
    watch = Watch()
    async with watch.watching():
        assert watch.runs == [None]
        watch.change(b"/data/a.mp4", b"/data/inner/b.mp4", b"/data/gone.mp4", b"/data", b"/database/a.mp4")
        await watch.advance(4.0)
        watch.change(b"/data/gone.mp4", deleted=True)
        watch.change(b"/data/a.mp4")
        await watch.advance(8.0)
        assert watch.runs[1:] == [{ROOT: [b"a.mp4"], INNER: [b"b.mp4"]}]
        await watch.advance(600.0)
        assert len(watch.runs) == 2
        assert watch.idle == 2


async def test_files_that_arrive_during_a_run_are_of_the_next_one() -> None:
    watch = Watch()
    watch.held = anyio.Event()
    async with watch.watching():
        watch.change(b"/data/a.mp4")
        await watch.advance(60.0)
        assert watch.runs == [None]
        watch.held.set()
        await watch.advance(1.0)
        assert watch.runs == [None, {ROOT: [b"a.mp4"]}]


async def test_runs_have_a_distance() -> None:
    watch = Watch()
    async with watch.watching():
        for number in range(20):
            watch.change(b"/data/%d.mp4" % number)
            await watch.advance(1.0)
        await watch.advance(30.0)
        distances = [later - before for before, later in itertools.pairwise(watch.times)]
        assert len(distances) > 1
        assert min(distances) >= OPTIONS.interval


async def test_a_file_that_a_run_found_too_new_is_pending_again() -> None:
    """It was finished just before the watch began, so no event follows."""
    watch = Watch()
    async with watch.watching():
        watch.too_new(INNER, b"late.mp4")
        await watch.advance(20.0)
        assert watch.runs == [None, {INNER: [b"late.mp4"]}]


async def test_more_files_than_are_kept_mean_a_look_at_everything() -> None:
    watch = Watch()
    async with watch.watching():
        watch.change(*(b"/data/%d.mp4" % number for number in range(10)))
        await watch.advance(20.0)
        assert watch.runs[:2] == [None, None]


async def test_the_nightly_rescan() -> None:
    """At the local time. The next one is a day later."""
    watch = Watch()
    assert dt.datetime.fromtimestamp(watch.clock.now(), dt.UTC).strftime("%H:%M:%S") == "02:03:20"
    async with watch.watching():
        await watch.advance(56 * 60.0)
        assert watch.runs == [None]
        await watch.advance(60.0)
        assert watch.runs == [None, None]
        await watch.advance(3600.0)
        assert watch.runs == [None, None]


async def test_a_run_that_broke_off_is_repeated_after_a_pause() -> None:
    """Its files settle again meanwhile. Each pause is twice as long; a good run ends the series."""
    watch = Watch()
    watch.ends = [FakeSummary(), FakeSummary(4, DOWN), FakeSummary(4, DOWN), FakeSummary(), FakeSummary(4, DOWN)]
    async with watch.watching():
        with capture_logs() as logs:
            watch.change(b"/data/a.mp4")
            await watch.advance(10.0)
            assert len(watch.runs) == 2
            await watch.advance(59.0)
            assert len(watch.runs) == 2
            await watch.advance(2.0)
            assert len(watch.runs) == 3
            await watch.advance(121.0)
            watch.change(b"/data/b.mp4")
            await watch.advance(30.0)
        assert watch.runs[1:] == [{ROOT: [b"a.mp4"]}] * 3 + [{ROOT: [b"b.mp4"]}]
        pauses = [line["seconds"] for line in logs if line["event"] == LogEvent.WATCH_PAUSED]
        assert pauses == [60, 120, 60]


@pytest.mark.parametrize("error", [UsageError("the source is away"), DOWN])
async def test_a_later_run_that_cannot_start_is_repeated(error: BulkupError) -> None:
    watch = Watch()
    watch.ends = [FakeSummary(), error]
    async with watch.watching():
        watch.change(b"/data/a.mp4")
        await watch.advance(100.0)
        assert watch.runs[1:] == [{ROOT: [b"a.mp4"]}] * 2


@pytest.mark.parametrize("error", [UsageError("wrong"), MachineError("no disk")])
async def test_the_first_run_shows_whether_the_settings_are_right(error: BulkupError) -> None:
    watch = Watch()
    watch.ends = [error]
    with pytest.raises(BaseExceptionGroup) as raised:
        async with watch.watching():
            await settled()
    assert raised.group_contains(type(error))


@pytest.mark.parametrize("end", [FakeSummary(4, DOWN), FakeSummary(7, MachineError("disk full"))])
async def test_a_first_run_that_fails_ends_the_watch(end: FakeSummary) -> None:
    watch = Watch()
    watch.ends = [end]
    async with watch.watching():
        await settled()
        assert watch.code == end.exit_code


async def test_stopping_between_runs_and_during_one() -> None:
    """The code is that of the signal, whatever the run says."""
    for held in (None, anyio.Event()):
        watch = Watch()
        watch.held = held
        async with watch.watching():
            watch.watcher.stop(ExitCode.SIGTERM)
            watch.watcher.stop(ExitCode.SIGINT)
            if held is not None:
                assert watch.code is None
                held.set()
            await settled()
            assert watch.code == ExitCode.SIGTERM


@pytest.mark.parametrize("limit", [True, False])
async def test_without_events_all_files_are_looked_at_now_and_then(limit: bool) -> None:
    """As when the kernel allows no more watches: the warning says how to allow more."""
    watch = Watch()
    watch.lost = [EventsLostError("OS file watch limit reached.", limit=limit)] * 2
    with capture_logs() as logs:
        async with watch.watching():
            assert watch.runs == [None]
            await watch.advance(2.5 * OPTIONS.poll)
            assert watch.runs[:3] == [None, None, None]
            assert watch.began == 3
            watch.change(b"/data/a.mp4")
            await watch.advance(30.0)
            assert watch.runs[-1] == {ROOT: [b"a.mp4"]}
    warnings = [line for line in logs if line["event"] == LogEvent.WATCH_BLIND]
    assert [("sysctl" in line["hint"], line["again_in"]) for line in warnings] == [(limit, 300)] * 2


async def test_a_source_that_is_unmounted_and_comes_back() -> None:
    """No run begins without it. All files are looked at when it is there again, with new events."""
    watch = Watch()
    async with watch.watching():
        with capture_logs() as logs:
            watch.found = [FoundSource(ROOT, 1, 1), None]
            await watch.advance(6.0)
            watch.change(b"/data/a.mp4")
            await watch.advance(600.0)
            assert (watch.runs, watch.began) == ([None], 1)
            watch.found = [FoundSource(ROOT, 1, 1), FoundSource(INNER, 9, 2)]
            await watch.advance(60.0)
            assert (watch.runs, watch.began) == ([None, None], 2)
        assert [line["event"] for line in logs] == [LogEvent.SOURCE_GONE, LogEvent.SOURCE_BACK]


async def test_a_source_that_is_replaced() -> None:
    watch = Watch()
    async with watch.watching():
        watch.found = [FoundSource(ROOT, 2, 7), FoundSource(INNER, 1, 2)]
        await watch.advance(60.0)
        assert (watch.runs, watch.began) == ([None, None], 2)


async def test_a_source_that_is_a_link_to_another_directory_now() -> None:
    """Events are those of the new directory, and so are the paths."""
    watch = Watch()
    async with watch.watching():
        assert watch.roots == [ROOT, INNER]
        watch.found = [FoundSource(b"/other", 1, 9), FoundSource(INNER, 1, 2)]
        await watch.advance(60.0)
        assert (watch.roots, watch.runs) == ([b"/other", INNER], [None, None])
        watch.change(b"/data/a.mp4", b"/other/b.mp4")
        await watch.advance(60.0)
        assert watch.runs[2:] == [{b"/other": [b"b.mp4"]}]


async def test_a_run_that_is_stopped_before_it_has_begun() -> None:
    watch = Watch()
    watch.held, watch.ends = anyio.Event(), [None]
    async with watch.watching():
        watch.watcher.stop(ExitCode.SIGTERM)
        watch.held.set()
        await settled()
        assert (watch.code, watch.idle) == (ExitCode.SIGTERM, 0)


async def test_a_longer_time_to_settle() -> None:
    watch = Watch()
    async with watch.watching():
        watch.change(b"/data/a.mp4")
        watch.watcher.settle_for(300.0)
        await watch.advance(280.0)
        assert watch.runs == [None]
        await watch.advance(40.0)
        assert watch.runs[1:] == [{ROOT: [b"a.mp4"]}]


async def test_paths_that_a_run_would_not_take_begin_none() -> None:
    """However many there are."""
    watch = Watch()
    watch.watcher.filter_by(PathFilter(ScanOptions(exclude=("*.log",)), {ROOT: (), INNER: ("*.txt",)}))
    async with watch.watching():
        watch.change(*(b"/data/%d.log" % number for number in range(10)), b"/data/inner/a.txt")
        await watch.advance(60.0)
        assert watch.runs == [None]
        watch.change(b"/data/a.log", b"/data/a.txt")
        await watch.advance(60.0)
        assert watch.runs == [None, {ROOT: [b"a.txt"]}]


@pytest.mark.parametrize("deleted", [False, True])
async def test_other_patterns_mean_a_look_at_everything(deleted: bool) -> None:
    """Once they have settled, for files that the earlier patterns have left out."""
    watch = Watch()
    watch.watcher.filter_by(PathFilter(ScanOptions(), {ROOT: (), INNER: ()}))
    async with watch.watching():
        watch.change(b"/data/inner/.bulkupignore", deleted=deleted)
        watch.change(b"/data/a.mp4")
        await watch.advance(4.0)
        assert watch.runs == [None]
        await watch.advance(60.0)
        assert watch.runs == [None, None]
