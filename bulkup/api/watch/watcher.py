"""Carries out runs as files arrive, until it is stopped.

    folder_events --path_filter--> pending_paths --settled--> a run of these paths
                                                  '-lost---> a run of all files, as at the beginning and every night

Events are received before the first run begins, so nothing falls between the two. A file that a run found too new is
pending again. While a run is under way, further paths become pending.
"""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple

import anyio
import anyio.to_thread

from bulkup.api.run_summary import Summary
from bulkup.api.watch.folder_events import INOTIFY_HINT, EventsLostError, FolderEvent, Receive, folder_events
from bulkup.api.watch.path_filter import PathFilter
from bulkup.api.watch.pending_paths import PendingPaths, Place
from bulkup.api.watch.watch_plan import (
    Outlook,
    RunDistance,
    RunEffect,
    WatchOptions,
    WatchStep,
    effect_of,
    next_pause,
    next_step,
)
from bulkup.config.local_time import LocalClock, TimeOfDay, next_time
from bulkup.errors import ExitCode, ServiceError, UsageError
from bulkup.helpers.alarm import Alarm, Timeout
from bulkup.helpers.clock import Clock, local_clock
from bulkup.helpers.event_logger import EventLogger
from bulkup.model.log_events import LogEvent

_log = EventLogger("bulkup.watch")

# The paths of a run by source, None for all files; it is called with files that were too new.
Paths = Mapping[bytes, Sequence[bytes]]
TooNew = Callable[[bytes, bytes], None]
CarryOut = Callable[[Paths | None, TooNew], Awaitable[Summary | None]]
Events = Callable[[Sequence[bytes], Receive], Awaitable[None]]
Look = Callable[[Sequence[bytes]], Awaitable[Sequence["FoundSource | None"]]]


class FoundSource(NamedTuple):
    """A directory at the path of a source, with its real path."""

    root: bytes
    device: int
    inode: int


class Watcher:
    """Watches the directories at the paths `sources`, which may be links. `work` is called once.

    `carry_out` carries out a run and returns its summary, None if it was stopped before it had begun. `idle` is called
    whenever a run has ended and the next one has not begun. `events` is `folder_events`; tests pass another function.
    """

    def __init__(
        self,
        sources: Sequence[bytes],
        rescan_at: TimeOfDay,
        carry_out: CarryOut,
        *,
        clock: Clock,
        idle: Callable[[], None],
        options: WatchOptions | None = None,
        events: Events = folder_events,
        local: LocalClock = local_clock,
        timeout: Timeout = anyio.move_on_after,
        look: Look | None = None,
    ) -> None:
        self._sources = list(sources)
        self._roots: list[bytes] = []
        self._inside: list[tuple[bytes, int]] = []
        self._rescan_time = rescan_at
        self._carry_out = carry_out
        self._clock = clock
        self._idle = idle
        self._options = options or WatchOptions()
        self._events = events
        self._local = local
        self._timeout = timeout
        self._look = look or found_sources
        self._alarm = Alarm(timeout)
        self._filter: PathFilter | None = None
        self._pending = PendingPaths(self._options.settle, self._options.most_pending)
        self._times = RunDistance(self._options)
        self._scan_wanted = True
        self._not_before = 0.0
        self._pause = 0.0
        self._rescan_at = 0.0
        self._first = True
        self._exit_code: int | None = None
        self._watched = anyio.Event()
        self._found: Sequence[FoundSource | None] = []
        self._events_scope: anyio.CancelScope | None = None
        self._loop: asyncio.AbstractEventLoop

    def stop(self, code: ExitCode) -> None:
        """End the watch between two runs. The caller stops a run that is under way itself."""
        self._exit_code = int(code) if self._exit_code is None else self._exit_code
        self._alarm.wake()

    def wake(self) -> None:
        """Look at all files as soon as possible."""
        self._scan_wanted = True
        self._alarm.wake()

    def settle_for(self, seconds: float) -> None:
        """Replace the time without a change after which a file is sent."""
        self._pending.settle = seconds
        self._alarm.wake()

    @property
    def rescan_at(self) -> float:
        """When all files are looked at again, as a Unix time. 0 before `work`."""
        return self._rescan_at

    def filter_by(self, found: PathFilter) -> None:
        """Leave out paths by this filter from now on, because a run would not take them."""
        self._filter = found

    async def work(self) -> int:
        """Watch until `stop`, or until a run shows that the watch cannot go on. Return the exit code."""
        self._rescan_at = next_time(self._rescan_time, self._clock.now(), self._local)
        self._not_before = self._clock.monotonic()
        self._loop = asyncio.get_running_loop()
        async with anyio.create_task_group() as tasks:
            self._found = await self._look(self._sources)
            self._note_roots()
            tasks.start_soon(self._receive_events)
            tasks.start_soon(self._look_after_sources)
            await self._watched.wait()
            while self._exit_code is None:
                await self._do_next()
            tasks.cancel_scope.cancel()
        assert self._exit_code is not None
        return self._exit_code

    async def _do_next(self) -> None:
        now = self._clock.monotonic()
        if None in self._found:
            await self._alarm.wait(self._options.look)  # a source is gone
            return
        if self._pending.overflowed:
            self._pending.overflowed, self._scan_wanted = False, True
        settled = self._pending.next_settled()
        seen = Outlook(now, self._clock.now(), settled, self._scan_wanted, self._rescan_at, self._not_before)
        step, seconds = next_step(seen, self._options)
        if step is WatchStep.WAIT:
            await self._alarm.wait(seconds)
        elif step is WatchStep.SCAN:
            self._scan_wanted = False
            self._rescan_at = next_time(self._rescan_time, self._clock.now(), self._local)
            await self._run(None)
        else:
            places = self._pending.take_settled(now)
            # Other patterns may take files that are there already.
            await self._run(None if any(self._has_patterns(path) for _, path in places) else places)

    async def _run(self, places: Sequence[Place] | None) -> None:
        """Carry out a run of these paths, or of all files, and decide what it means."""
        self._not_before = self._times.begin(self._clock.monotonic())
        paths = None if places is None else self._by_source(places)
        effect = await self._effect_of_run(paths)
        self._first = False
        if effect is RunEffect.LAST:
            return
        if effect is RunEffect.GOOD:
            self._pause = 0.0
        else:
            self._try_again(places)
        self._idle()

    async def _effect_of_run(self, paths: Paths | None) -> RunEffect:
        try:
            summary = await self._carry_out(paths, self._too_new)
        except (UsageError, ServiceError) as error:
            if self._first:
                raise
            # A source that is away for a moment, or a secret that cannot be fetched now.
            _log.warning(LogEvent.WATCH_RUN_FAILED, reason=error.message)
            return RunEffect.BROKEN
        if summary is None:
            return RunEffect.LAST
        effect = effect_of(summary.exit_code, has_error=summary.error is not None, first=self._first)
        if effect is RunEffect.LAST and self._exit_code is None:
            self._exit_code = int(summary.exit_code)
        return effect

    def _try_again(self, places: Sequence[Place] | None) -> None:
        """Have the files of a run that broke off looked at again, after a pause."""
        self._pause = next_pause(self._pause, self._options)
        now = self._clock.monotonic()
        self._not_before = now + self._pause
        if places is None:
            self._scan_wanted = True
        else:
            self._pending.put_back(places, now)
        _log.warning(LogEvent.WATCH_PAUSED, seconds=round(self._pause))

    def _by_source(self, places: Sequence[Place]) -> Paths:
        paths: dict[bytes, list[bytes]] = {}
        for number, path in places:
            paths.setdefault(self._roots[number], []).append(path)
        return paths

    def _too_new(self, root: bytes, path: bytes) -> None:
        """Note a file that a run found too new. The thread of its scan calls this."""
        self._loop.call_soon_threadsafe(self._receive, [FolderEvent(os.path.join(root, path))])

    def _receive(self, events: Sequence[FolderEvent]) -> None:
        now = self._clock.monotonic()
        for event in events:
            place = self._place(event.path)
            if place is None:
                continue
            if event.deleted and not self._has_patterns(place[1]):
                self._pending.forget(place)
            elif self._is_wanted(place, is_folder=event.is_folder):
                self._pending.change(place, now)
        self._watched.set()
        self._alarm.wake()

    def _is_wanted(self, place: Place, *, is_folder: bool) -> bool:
        number, path = place
        return self._filter is None or self._filter.takes(self._roots[number], path, is_folder=is_folder)

    def _has_patterns(self, path: bytes) -> bool:
        return self._filter is not None and self._filter.is_ignore_file(path)

    def _place(self, path: bytes) -> Place | None:
        for start, number in self._inside:
            if path.startswith(start):
                return number, path[len(start) :]
        return None  # a source itself

    async def _receive_events(self) -> None:
        """Receive events, and begin anew when they are lost: all files are looked at then."""
        while True:
            with anyio.CancelScope() as self._events_scope:
                try:
                    await self._events(self._roots, self._receive)
                except EventsLostError as error:
                    hint = INOTIFY_HINT if error.limit else ""
                    _log.warning(
                        LogEvent.WATCH_BLIND, reason=error.reason, hint=hint, again_in=round(self._options.poll)
                    )
            self._watched.set()
            if not self._events_scope.cancelled_caught:
                await self._sleep(self._options.poll)
            self.wake()

    async def _look_after_sources(self) -> None:
        """Notice when a source is unmounted, replaced or comes back. Events are about directories that were there."""
        while True:
            await self._sleep(self._options.look)
            found = await self._look(self._sources)
            for source, before, now in zip(self._sources, self._found, found, strict=True):
                if before != now:
                    if now is None:
                        _log.warning(LogEvent.SOURCE_GONE, source=os.fsdecode(source))
                    else:
                        _log.warning(LogEvent.SOURCE_BACK, source=os.fsdecode(source))
            changed, self._found = found != self._found, found
            if changed and None not in found and self._events_scope is not None:
                self._note_roots()
                self._pending.overflow()
                self._events_scope.cancel()

    def _note_roots(self) -> None:
        """Watch the directories that the sources are now."""
        pairs = zip(self._sources, self._found, strict=True)
        self._roots = [source if found is None else found.root for source, found in pairs]
        # Inner directories first: a path belongs to the innermost source.
        self._inside = sorted(
            ((os.path.join(root, b""), n) for n, root in enumerate(self._roots)), key=lambda at: -len(at[0])
        )

    async def _sleep(self, seconds: float) -> None:
        with self._timeout(seconds):
            await anyio.sleep_forever()


async def found_sources(sources: Sequence[bytes]) -> Sequence[FoundSource | None]:
    """Return the directory at each path, None where there is none."""
    return await anyio.to_thread.run_sync(lambda: [_found_source(source) for source in sources])


def _found_source(source: bytes) -> FoundSource | None:
    try:
        root = os.path.realpath(source)
        found = os.stat(root)
    except OSError:
        return None
    return FoundSource(root, found.st_dev, found.st_ino) if stat.S_ISDIR(found.st_mode) else None
