"""The files that a run writes beside its journal: log, metrics and report. They are checked before a run needs them."""

from __future__ import annotations

from bulkup.cli.run_logs import check_log_file
from bulkup.cli.run_metrics_export import check_metrics
from bulkup.cli.run_report_file import check_report
from bulkup.config import ResolvedSettings


def outputs(resolved: ResolvedSettings) -> tuple[str, ...]:
    """Return the names of the settings that have a run write a file, or serve its metrics."""
    settings = resolved.settings
    names = ("log_file", "metrics_file", "metrics_addr", "report")
    return tuple(name for name in names if getattr(settings, name) is not None)


def check_outputs(resolved: ResolvedSettings) -> None:
    """Raise UsageError for a log file, metrics or a report that a run could not write. Nothing is created."""
    named = outputs(resolved)
    check_log_file(resolved)
    if "metrics_file" in named or "metrics_addr" in named:
        check_metrics(resolved)
    if "report" in named:
        check_report(resolved)
