"""Progress during a run without a terminal: log events. On a terminal `display` shows it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import anyio

from bulkup.helpers.clock import Clock
from bulkup.helpers.event_logger import EventLogger
from bulkup.model.counters import Counters, Gauge
from bulkup.model.log_events import LogEvent
from bulkup.reports.progress_rate import Progress, ProgressMeter

EVENT_SECONDS = 30.0
PROBLEMS = ("failed", "rejected", "changed", "unreadable", "unverified", "retries")

Sleep = Callable[[float], Awaitable[None]]

_log = EventLogger("bulkup")


class ProgressLog:
    """Progress without a terminal: the log event `progress` every 30 seconds and at the end."""

    def __init__(self, gauge: Gauge, clock: Clock, *, sleep: Sleep = anyio.sleep, log: Any = _log) -> None:
        self._gauge = gauge
        self._clock = clock
        self._sleep = sleep
        self._log = log
        self._meter = ProgressMeter(gauge.counters)

    async def run_until_cancelled(self) -> None:
        """Log twice a minute until cancelled, and then once more."""
        self._meter.sample(self._clock.monotonic())
        try:
            while True:
                await self._sleep(EVENT_SECONDS)
                self._emit()
        finally:
            self._emit()

    def _emit(self) -> None:
        pace = self._meter.sample(self._clock.monotonic())
        self._log.info(LogEvent.PROGRESS, **progress_fields(self._gauge.counters, pace))


def progress_fields(counters: Counters, pace: Progress) -> dict[str, Any]:
    """Return the fields of the event `progress`: `rate` in bytes per second, `eta` in seconds.

    `files` counts settled files. `percent` and `eta` are None until the scan is done.
    """
    return {
        "files": counters.settled,
        "found": counters.found,
        "bytes": counters.bytes_done,
        "bytes_found": counters.bytes_found,
        "rate": round(pace.rate),
        "concurrency": counters.concurrency,
        "percent": pace.percent,
        "eta": None if pace.eta is None else round(pace.eta),
        "scan_done": counters.scan_done,
        **{name: getattr(counters, name) for name in PROBLEMS},
    }
