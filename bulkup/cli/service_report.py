"""Tells the service manager that a run started, lives, and ends; and how far it is."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import anyio

from bulkup.helpers.sd_notify import ServiceManager
from bulkup.model.counters import Counters, Gauge
from bulkup.reports.formatting import count_text, size_text

_INTERVAL = 30.0  # seconds between two lines for `systemctl status`
_SIGNS_PER_LIMIT = 3  # one sign of life may be lost, and another one late


class ServiceReport:
    """Reports one run to the service manager. `gauge` is set when the run has begun."""

    def __init__(self, manager: ServiceManager) -> None:
        self._manager = manager
        self._is_stopping = False
        self._end = ""
        self.gauge: Gauge | None = None

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
        if self._end or self.gauge is None:
            return self._end or "starting"
        text = run_text(self.gauge.counters)
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


def run_text(counters: Counters) -> str:
    """Return a line about a run that is under way."""
    least = "" if counters.scan_done else "at least "
    parts = [
        f"{counters.settled:,} of {least}{count_text(counters.found, 'file')}",
        f"{size_text(counters.bytes_sent)} sent",
    ]
    if counters.failed:
        parts.append(f"{counters.failed:,} failed")
    return ", ".join(parts)
