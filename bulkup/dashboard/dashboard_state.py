"""The state of the dashboard: journals, indexes and events, and the task that watches the journals."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

import anyio
import anyio.abc
import anyio.to_thread

from bulkup.dashboard.dashboard_options import DashboardOptions
from bulkup.dashboard.event_hub import EventHub
from bulkup.dashboard.guard import RequestError
from bulkup.dashboard.index_keeper import IndexKeeper
from bulkup.dashboard.journal_list import JournalList, JournalView
from bulkup.dashboard.live_runs import LiveRuns
from bulkup.dashboard.run_objects import journal_object
from bulkup.helpers.clock import Clock
from bulkup.journal import Reader
from bulkup.journal.reader import ReaderOptions

T = TypeVar("T")
_THREADS = 4
_GONE = 410


class DashboardState:
    """Belongs to the event loop of the server."""

    def __init__(
        self,
        group: anyio.abc.TaskGroup,
        journals: JournalList,
        alike: Callable[[str], str],
        clock: Clock,
        options: DashboardOptions,
    ) -> None:
        self.options = options
        self.clock = clock
        self.hub = EventHub()
        self.live = LiveRuns(self.hub, clock, options)
        self.indexes = IndexKeeper(group, alike, clock, options)
        self.group = group
        self._journals = journals
        self._views: dict[str, JournalView] = {}
        self._looking = anyio.Lock()
        self._threads = anyio.CapacityLimiter(_THREADS)

    async def look(self) -> dict[str, JournalView]:
        """Return the journals as they are now, and publish the changed ones to the open pages."""
        async with self._looking:
            before = self._views
            self._views = await anyio.to_thread.run_sync(self._journals.look)
            for name, view in self._views.items():
                if before.get(name) is not view:
                    self.hub.publish("journal", name, journal_object(view))
        return self._views

    async def view(self, name: str) -> JournalView:
        """Return a journal that can be read. Raises `RequestError` for any other."""
        view = self._views.get(name) or (await self.look()).get(name)
        if view is None:
            raise RequestError(404, "unknown", "the dashboard knows no such journal", "go back to the list of all runs")
        if not view.readable:
            raise RequestError(_GONE, view.state, view.message or "the journal cannot be read", view.hint)
        return view

    async def read(self, view: JournalView, function: Callable[[Reader], T]) -> T:
        """Run a function on a journal in a thread, with a reader of its own, and return its result."""
        return await anyio.to_thread.run_sync(
            partial(_read, view.path, self.options.journal_wait, function), limiter=self._threads
        )

    async def in_thread(self, function: Callable[[], T]) -> T:
        """Return the result of a function that computes for longer than the loop may wait."""
        return await anyio.to_thread.run_sync(function, limiter=self._threads)

    async def watch(self) -> None:
        """Look at the journals again and again while a page is open. Ends by cancellation."""
        while True:
            if not len(self.hub):
                self.live.follow(self.group, ())
            await self.hub.until_watched()
            self.live.follow(self.group, (await self.look()).values())
            self.indexes.drop_unused()
            await anyio.sleep(self.options.watch_interval)


def _read(path: str, busy_wait: float, function: Callable[[Reader], T]) -> T:
    with Reader(path, options=ReaderOptions(busy_wait=busy_wait)) as reader:
        return function(reader)
