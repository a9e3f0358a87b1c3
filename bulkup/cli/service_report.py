"""Tells the service manager that a run started, lives, and ends; and how far it is."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable

import anyio

from bulkup.helpers.sd_notify import ServiceManager
from bulkup.model.progress import Progress
from bulkup.reports.progress_text import bytes_text, eta_text, files_text, problems_text, share_text

_INTERVAL = 30.0  # seconds between two lines for `systemctl status`
_SIGNS_PER_LIMIT = 3  # one sign of life may be lost, and another one late


class ServiceReport:
    """Reports one run to the service manager, or the runs of a watch.

    `progress` is set when a run has begun. `waiting` returns the text while there is none.
    """

    def __init__(self, manager: ServiceManager) -> None:
        self._manager = manager
        self._is_stopping = False
        self._end = ""
        self.progress: Callable[[], Progress] | None = None
        self.waiting: Callable[[], str] = lambda: "starting"

    @property
    def interval(self) -> float:
        """The time in seconds between two signs of life."""
        limit = self._manager.watchdog
        return _INTERVAL if limit is None else min(_INTERVAL, limit / _SIGNS_PER_LIMIT)

    def stopping(self) -> None:
        """Say that a signal ends the run."""
        self._is_stopping = True
        self._manager.stopping(self._text())

    def ended(self, text: str) -> None:
        """Say how the run has ended."""
        self._end = text
        self._manager.stopping(text)

    async def run_until_cancelled(self) -> None:
        """Give signs of life from the event loop, so that one that is blocked for long is noticed."""
        while True:
            self._manager.alive(self._text())
            await anyio.sleep(self.interval)

    def _text(self) -> str:
        if self._end or self.progress is None:
            return self._end or self.waiting()
        text = run_text(self.progress())
        return f"stopping: {text}" if self._is_stopping else text


@contextlib.asynccontextmanager
async def reporting(manager: ServiceManager) -> AsyncIterator[ServiceReport]:
    """Report to the service manager while the context is entered."""
    report = ServiceReport(manager)
    manager.ready("starting")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(report.run_until_cancelled)
        yield report
        tasks.cancel_scope.cancel()


def run_text(progress: Progress) -> str:
    """Return a line about a run that is under way, with the figures of the log and of the display."""
    parts = [share_text(progress), files_text(progress), bytes_text(progress), eta_text(progress)]
    return ", ".join(filter(None, [*parts, problems_text(progress)]))
