"""The report that a profile wants after each run. It never hurts the run: what goes wrong is a warning."""

from __future__ import annotations

import os
import time

import anyio.to_thread

from bulkup.api import Summary
from bulkup.cli.error_report import failure_of
from bulkup.config import ResolvedSettings, journal_path
from bulkup.config.paths import inside_any
from bulkup.config.report_table import ENDINGS, ReportAfterRuns
from bulkup.errors import UsageError
from bulkup.helpers.event_logger import EventLogger, log_fields
from bulkup.model.log_events import LogEvent
from bulkup.reports.safe_text import printable

_log = EventLogger("bulkup.report")
_ANY = {"run": "0" * 32, "date": "2000-01-01", "time": "000000", "profile": "x"}


def check_report(resolved: ResolvedSettings) -> None:
    """Raise UsageError if the report would be uploaded with the source, or replace a journal."""
    from bulkup.cli.output_file import refuse_journals  # noqa: PLC0415  # few runs have a report

    table = resolved.settings.report
    assert table is not None
    path = table.file(_ANY)
    source = inside_any(path, resolved.settings.source)
    if source is not None:
        raise UsageError(
            f"report: {printable(path)} is inside the source {printable(source)}, so it would be uploaded",
            hint="name a path outside every source in the profile",
        )
    refuse_journals(path, _journal(resolved), option="report")


async def write_run_report(resolved: ResolvedSettings, summary: Summary) -> str | None:
    """Write the report of a run that has ended. Return how notifications name it, None if it could not be written."""
    table = resolved.settings.report
    if table is None:
        return None
    with log_fields(run=summary.run):
        try:
            path, link = await anyio.to_thread.run_sync(_write, resolved, table, summary.run)
        except Exception as error:  # noqa: BLE001  # the run has ended well or badly without it
            failure = failure_of(error)
            _log.warning(LogEvent.REPORT_FAILED, path=table.path, reason=failure.message, hint=failure.hint or None)
            return None
        _log.info(LogEvent.REPORT_WRITTEN, path=path)
        return link


def _write(resolved: ResolvedSettings, table: ReportAfterRuns, run: str) -> tuple[str, str]:
    """Return the path of the report and its name in notifications."""
    from bulkup.api.run_report import gather, render  # noqa: PLC0415  # few runs have a report
    from bulkup.cli.given_options import given_options  # noqa: PLC0415  # the same
    from bulkup.cli.journal_commands.report_command import write_report  # noqa: PLC0415  # the same
    from bulkup.helpers.private_files import make_private_folder  # noqa: PLC0415  # the same
    from bulkup.journal import Reader  # noqa: PLC0415  # the same

    with Reader(_journal(resolved)) as reader:
        (number,) = reader.run_numbers(run)
        facts = gather(reader, number, lambda _: given_options(resolved), time.time())
    begun = time.localtime(facts.run.started_at)
    values = {
        "run": run,
        "date": time.strftime("%Y-%m-%d", begun),
        "time": time.strftime("%H%M%S", begun),
        "profile": resolved.profile or facts.run.provider,
    }
    path = os.path.abspath(table.file(values))
    make_private_folder(os.path.dirname(path))
    write_report(path, render(facts, ENDINGS[os.path.splitext(path)[1].lower()]))
    return path, table.link(values)


def _journal(resolved: ResolvedSettings) -> str:
    settings = resolved.settings
    return journal_path(settings, resolved.profile, settings.source, os.environ, resolved.config_file)
