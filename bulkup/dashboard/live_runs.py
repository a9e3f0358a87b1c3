"""Follows the runs under way over their control sockets while a page is open, and passes requests on to them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import anyio
import anyio.abc

from bulkup.api.control.control_client import ControlClient
from bulkup.api.control.control_messages import Action
from bulkup.dashboard.dashboard_options import DashboardOptions
from bulkup.dashboard.event_hub import EventHub
from bulkup.dashboard.journal_list import JournalView
from bulkup.errors import UsageError
from bulkup.helpers.clock import Clock
from bulkup.reports.safe_text import printable

_CHANGES: frozenset[Action] = frozenset({"pause", "resume", "stop", "bwlimit", "concurrency"})
_WITH_VALUE: frozenset[Action] = frozenset({"bwlimit", "concurrency"})
_AGAIN = 3.0  # seconds until the next try to follow a run that does not answer


class LiveRuns:
    """Belongs to the event loop."""

    def __init__(self, hub: EventHub, clock: Clock, options: DashboardOptions) -> None:
        self._hub = hub
        self._clock = clock
        self._options = options
        self._followed: dict[str, anyio.CancelScope] = {}

    def follow(self, group: anyio.abc.TaskGroup, views: Iterable[JournalView]) -> None:
        """Follow the runs of these journals, and no others, by tasks in a task group."""
        running = {view.id: view for view in views if view.state == "running"}
        for name in self._followed.keys() - running.keys():
            self._followed.pop(name).cancel()
        for name in running.keys() - self._followed.keys():
            scope = self._followed[name] = anyio.CancelScope()
            group.start_soon(self._follow, running[name], scope)

    async def ask(self, view: JournalView, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return the progress after a request to change a run. Raises `UsageError` if the run refuses it."""
        do = request.get("do")
        if not isinstance(do, str) or do not in _CHANGES:
            raise UsageError("a run can be paused, resumed and stopped, and its limits changed; nothing else")
        fields = {"value": request.get("value")} if do in _WITH_VALUE else {}
        async with ControlClient(view.path) as run:
            answer = await run.ask(do, **fields)
        value = self._value(view, answer)
        self._hub.publish("progress", view.id, value)
        return value

    async def _follow(self, view: JournalView, scope: anyio.CancelScope) -> None:
        with scope:
            while True:
                try:
                    async with ControlClient(view.path) as run:
                        async for answer in run.watch(self._options.progress_interval):
                            self._hub.publish("progress", view.id, self._value(view, answer))
                except UsageError as error:
                    value = {"journal": view.id, "unavailable": True, "message": printable(error.message)}
                    self._hub.publish("progress", view.id, value)
                await anyio.sleep(_AGAIN)

    def _value(self, view: JournalView, answer: Mapping[str, Any]) -> dict[str, Any]:
        """Return the progress in an answer. Raises `UsageError` where it has none: the run may be a later version."""
        progress = answer.get("progress")
        files = progress.get("sending", []) if isinstance(progress, dict) else None
        if not isinstance(progress, dict) or not isinstance(files, list):
            raise UsageError("the run's answer cannot be read: it may be another version")
        sending = [{**file, "path": printable(str(file.get("path")))} for file in files if isinstance(file, dict)]
        return {**progress, "journal": view.id, "at": self._clock.now(), "sending": sending}
