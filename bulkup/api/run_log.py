"""The log lines about a run as a whole: its start, the files that were not uploaded, its end."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence

from bulkup.api.run_summary import Summary
from bulkup.helpers.event_logger import EventLogger
from bulkup.model.items import Result
from bulkup.model.log_events import LogEvent
from bulkup.pipeline.policy.repeated_warnings import RepeatedWarnings
from bulkup.reports.exit_code import exit_code_text
from bulkup.reports.formatting import size_text
from bulkup.reports.safe_text import printable_path

_log = EventLogger("bulkup")
_NOT_IN_FIELDS = ("event", "run")  # of the summary: each line has them


def log_start(journal: str, provider: str | None) -> None:
    """Log that the run begins."""
    _log.info(LogEvent.RUN_STARTED, journal=journal, provider=provider)


def log_problems(results: Sequence[Result], warnings: RepeatedWarnings) -> None:
    """Log the first files of each status and reason that were not uploaded. `log_end` logs the number of all."""
    for result in results:
        if result.error is not None:
            path = printable_path(result.path)
            if warnings.admits(LogEvent.FILE_NOT_UPLOADED, result.error, status=result.status, name=path):
                _log.warning(LogEvent.FILE_NOT_UPLOADED, path=path, status=result.status, reason=result.error)


def log_end(summary: Summary, warnings: RepeatedWarnings) -> None:
    """Log the numbers of the warnings that were left out, and the whole summary."""
    for count in warnings.left_out():
        kind, first = count.kind, count.first
        if kind.event == LogEvent.FILE_NOT_UPLOADED:
            _log.warning(
                LogEvent.FILES_NOT_UPLOADED, files=count.number, status=kind.status, reason=kind.reason, first=first
            )
        else:
            _log.warning(
                LogEvent.WARNINGS_LEFT_OUT, number=count.number, warning=kind.event, reason=kind.reason, first=first
            )
    figures = {name: value for name, value in summary.as_dict().items() if name not in _NOT_IN_FIELDS}
    error, hint = (summary.error.message, summary.error.hint) if summary.error is not None else (None, None)
    _log.info(LogEvent.RUN_ENDED, outcome=exit_code_text(summary.exit_code), error=error, hint=hint, **figures)


def log_copying(store: str) -> None:
    """Log where provider local copies the files, and how many bytes are free there."""
    free = size_text(shutil.disk_usage(store).free)
    _log.info(LogEvent.FILES_COPIED, store=printable_path(os.fsencode(store)), free=free)
