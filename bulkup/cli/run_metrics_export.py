"""The metrics of a run: the settings are checked before it begins, and the figures are exported while it goes on."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from bulkup.cli.output_file import refuse_journals
from bulkup.config import ResolvedSettings, journal_path, outside_sources
from bulkup.errors import BulkupError, UsageError
from bulkup.journal import Reader

if TYPE_CHECKING:
    from bulkup.api import Summary, Uploader

End = Callable[["Summary"], None]
_OPTION = "--metrics-file"
_ENDING = ".prom"


def check_metrics(resolved: ResolvedSettings) -> None:
    """Raise UsageError if the metrics cannot be exported as the settings say."""
    from bulkup.reports.metrics.exporter import require_client  # noqa: PLC0415  # few runs have metrics

    settings = resolved.settings
    require_client()
    path = settings.metrics_file
    if path is None:
        return
    if not path.endswith(_ENDING):
        raise UsageError(f"metrics_file: {path} does not end in {_ENDING}", hint="node_exporter reads no other files")
    outside_sources(path, settings.source, "metrics_file")
    journal = journal_path(settings, resolved.profile, settings.source, os.environ, resolved.config_file)
    refuse_journals(path, journal, option=_OPTION)
    folder = os.path.dirname(path) or "."
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(
            f"metrics_file: cannot write into {folder}", hint="name a file in a folder that you may write to"
        )


@asynccontextmanager
async def exported_metrics(uploader: Uploader, resolved: ResolvedSettings) -> AsyncGenerator[End, None]:
    """Export the metrics of a run until its end, of which the function that is yielded is told.

    Raises `MachineError` if the address cannot be used.
    """
    settings = resolved.settings
    from bulkup.reports.metrics.exporter import MetricsFile, served  # noqa: PLC0415  # few runs have metrics
    from bulkup.reports.metrics.run_metrics import RunMetrics, RunTimes  # noqa: PLC0415  # the same

    last = await anyio.to_thread.run_sync(_last_success, uploader.journal)
    times = RunTimes(time.time(), last_success=last)
    provider = settings.provider or ""
    metrics = RunMetrics(resolved.profile or provider, provider, uploader.gauge, times)

    def ended(summary: Summary) -> None:
        times.ended, times.exit_code = time.time(), int(summary.exit_code)
        if not summary.exit_code:
            times.last_success = times.ended

    with contextlib.ExitStack() as stack:
        if settings.metrics_addr is not None:
            stack.enter_context(served(settings.metrics_addr, metrics))
        if settings.metrics_file is None:
            yield ended
            return
        file = MetricsFile(settings.metrics_file, metrics)
        stack.callback(file.write)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(file.write_until_cancelled)
            yield ended
            tasks.cancel_scope.cancel()


def _last_success(journal: str) -> float | None:
    """Return when a run of the journal last ended with exit code 0, None if none has."""
    try:
        with Reader(journal) as reader:
            return next((run.ended_at for run in reader.runs() if run.exit_code == 0), None)
    except BulkupError:
        return None  # the metrics are not worth more than the run
