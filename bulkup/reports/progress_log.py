"""Progress during a run without a terminal: log events. On a terminal `display` shows it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import anyio

from bulkup.helpers.event_logger import EventLogger
from bulkup.model.log_events import LogEvent
from bulkup.model.progress import Progress
from bulkup.reports.progress_text import PROBLEMS, progress_line

EVENT_SECONDS = 30.0

Sleep = Callable[[float], Awaitable[None]]

_log = EventLogger("bulkup")


class ProgressLog:
    """Progress without a terminal: the log event `progress` every 30 seconds, and with `at_end` at the end."""

    def __init__(
        self, progress: Callable[[], Progress], *, sleep: Sleep = anyio.sleep, log: Any = _log, at_end: bool = True
    ) -> None:
        self._progress = progress
        self._sleep = sleep
        self._log = log
        self._at_end = at_end

    async def run_until_cancelled(self) -> None:
        """Log twice a minute until cancelled, and with `at_end` once more."""
        try:
            while True:
                await self._sleep(EVENT_SECONDS)
                self._emit()
        finally:
            if self._at_end:
                self._emit()

    def _emit(self) -> None:
        progress = self._progress()
        self._log.info(LogEvent.PROGRESS, text=progress_line(progress), **progress_fields(progress))


def progress_fields(progress: Progress) -> dict[str, Any]:
    """Return the fields of the event `progress`: rates per second, times in seconds.

    `files` counts settled files. `percent` and `eta` are None until the total is known.
    """
    return {
        "files": progress.files_done,
        "found": progress.files_total,
        "bytes": progress.bytes_done,
        "bytes_found": progress.bytes_total,
        "total_known": progress.total_known,
        "rate": round(progress.bytes_per_second),
        "mean_rate": round(progress.mean_bytes_per_second),
        "files_rate": round(progress.files_per_second, 1),
        "mean_files_rate": round(progress.mean_files_per_second, 1),
        "concurrency": progress.concurrency,
        "percent": progress.percent,
        "elapsed": round(progress.elapsed, 1),
        "eta": None if progress.eta is None else round(progress.eta),
        "scan_done": progress.scan_done,
        "state": progress.state,
        **{name: getattr(progress, name) for name in PROBLEMS},
        "retries": progress.retries,
    }
