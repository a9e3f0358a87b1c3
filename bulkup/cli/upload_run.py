"""Carry out a run for the command line: progress, log, results and the summary."""

from __future__ import annotations

import contextlib
import functools
import math
import os
import sys
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any

import anyio
from anyio.abc import TaskGroup

from bulkup.api import Summary, Uploader
from bulkup.api.uploader import Emit
from bulkup.cli.error_report import error_object, report_error
from bulkup.cli.output import print_line, report_output_error
from bulkup.cli.signals import Signals, has_terminal
from bulkup.config import ResolvedSettings, Settings
from bulkup.config.other_homes import other_homes_warnings
from bulkup.errors import ExitCode
from bulkup.helpers.event_logger import EventLogger
from bulkup.helpers.garbage_collector import reduce_gc_frequency
from bulkup.model.items import Result
from bulkup.model.log_events import LogEvent
from bulkup.reports.exit_code import exit_code, exit_code_text
from bulkup.reports.json_lines import JsonLines
from bulkup.reports.logs import configure_logging
from bulkup.reports.progress_log import ProgressLog
from bulkup.reports.safe_text import printable_path
from bulkup.reports.summary import summary_text

if TYPE_CHECKING:
    from bulkup.cli.service_report import ServiceReport
    from bulkup.reports.error_console import ErrorConsole

_log = EventLogger("bulkup")
_LAST_LINES_TIMEOUT = 5.0


async def run_upload(resolved: ResolvedSettings, retry: bool = False) -> int:
    """Carry out a run, or with `retry` one of the files that are not uploaded, and return its exit code.

    Raises an error, usually a BulkupError, if the run cannot start; it may be inside an exception group.
    """
    settings = resolved.settings
    console = _live_console(settings)
    level = "error" if settings.quiet else settings.log_level
    configure_logging(settings.log_format, level, console=console)
    for warning in (*resolved.warnings, *other_homes_warnings(resolved, os.environ)):
        _log.warning(LogEvent.SETTINGS_WARNING, text=warning)
    lines = JsonLines(sys.stdout.buffer) if settings.json_output else None
    reduce_gc_frequency()
    reloads = resolved.profile is not None and not has_terminal()
    with Signals(console, settings.grace, reloads=reloads) as signals:
        async with _service_report() as service:
            summary = await _run(resolved, lines, console, signals, service, retry=retry)
            if service is not None:
                service.ended("interrupted" if summary is None else exit_code_text(summary.exit_code))
        if summary is None:
            raise signals.interruption()
        signals.on_first = signals.exit_now  # the run is over; at most a slow reader of the output is left
        return await _report_summary(summary, lines, resolved, retry=retry)


def _service_report() -> AbstractAsyncContextManager[ServiceReport | None]:
    """Return the report to the service manager that started this process, None if none did."""
    if "NOTIFY_SOCKET" not in os.environ:
        return contextlib.nullcontext()
    from bulkup.cli.service_report import reporting  # noqa: PLC0415  # only a service needs it
    from bulkup.helpers.sd_notify import service_manager  # noqa: PLC0415  # the same

    manager = service_manager(os.environ, os.getpid())
    return contextlib.nullcontext() if manager is None else reporting(manager)


def _live_console(settings: Settings) -> ErrorConsole | None:
    """Return the console of the live view, None if none is wanted or standard error is no terminal."""
    if settings.quiet or (settings.json_output and sys.stdout.isatty()):
        return None
    # Rich takes standard error for a terminal in these cases only. A file or a pipe needs no rich.
    if not sys.stderr.isatty() and not any(map(os.environ.get, ("FORCE_COLOR", "TTY_COMPATIBLE"))):
        return None
    from bulkup.reports.error_console import ErrorConsole  # noqa: PLC0415  # it imports rich

    console = ErrorConsole()
    return console if console.is_terminal and not console.is_dumb_terminal else None


async def _run(
    resolved: ResolvedSettings,
    lines: JsonLines | None,
    console: ErrorConsole | None,
    signals: Signals,
    service: ServiceReport | None,
    *,
    retry: bool,
) -> Summary | None:
    """Return the summary of the run, None if a signal arrived before it had begun."""
    settings, summary = resolved.settings, None
    with anyio.CancelScope() as beginning:
        signals.on_first = lambda _: beginning.cancel()
        async with Uploader(
            settings, profile=resolved.profile, config_file=resolved.config_file, retry=retry
        ) as uploader:
            signals.on_first = functools.partial(_stop, uploader, service)
            if service is not None:
                service.gauge = uploader.gauge
            _log.info(LogEvent.RUN_STARTED, run=uploader.run_id, journal=uploader.journal, provider=settings.provider)
            with _progress(uploader, settings, console) as show:
                async with anyio.create_task_group() as beside:
                    signals.on_reload = functools.partial(_reload, beside, uploader, resolved)
                    if signals.reload_wanted:
                        signals.on_reload()
                    beside.start_soon(show)
                    summary = await uploader.run(_emitter(lines), uploaded=lines is not None)
                    signals.on_reload = None
                    beside.cancel_scope.cancel()
    return summary


def _reload(beside: TaskGroup, uploader: Uploader, resolved: ResolvedSettings) -> None:
    from bulkup.cli.reloading import reload_profile  # noqa: PLC0415  # few runs do so

    beside.start_soon(reload_profile, uploader, resolved)


def _stop(uploader: Uploader, service: ServiceReport | None, code: ExitCode) -> None:
    _log.warning(LogEvent.RUN_STOPPING)
    if service is not None:
        service.stopping()
    uploader.stop(code)


@contextlib.contextmanager
def _progress(
    uploader: Uploader, settings: Settings, console: ErrorConsole | None
) -> Iterator[Callable[[], Coroutine[Any, Any, None]]]:
    """Yield the function that shows the progress until it is cancelled. On a terminal it begins anew after Ctrl-Z."""
    if settings.quiet:
        yield anyio.sleep_forever
    elif console is None:
        yield ProgressLog(uploader.progress).run_until_cancelled
    else:
        from bulkup.cli.suspension import Foreground, suspension  # noqa: PLC0415  # only a terminal needs it
        from bulkup.reports.display import ProgressDisplay  # noqa: PLC0415  # it imports rich

        ours = Foreground(sys.stderr.fileno()) if sys.stderr.isatty() else lambda: True
        display = ProgressDisplay(console, uploader.progress, verbose=settings.verbose, ours=ours)
        with suspension(display.left):
            yield display.run_until_cancelled


def _emitter(lines: JsonLines | None) -> Emit:
    async def emit(results: Sequence[Result]) -> None:
        if lines is not None:
            # In a thread: a reader that stops reading may block the run, but not the signals that end it.
            await anyio.to_thread.run_sync(lines.results, results, abandon_on_cancel=True)
        for result in results:
            if result.error is not None:
                _log.warning(
                    LogEvent.FILE_NOT_UPLOADED,
                    path=printable_path(result.path),
                    status=result.status,
                    reason=result.error,
                )

    return emit


async def _report_summary(summary: Summary, lines: JsonLines | None, resolved: ResolvedSettings, *, retry: bool) -> int:
    """Print the summary, and return the exit code: that of the run, unless its output could not be written."""
    if summary.error is not None:
        report_error(summary.error, as_json=False)
    lost = 0
    if lines is not None:
        await _end_lines(lines, summary)
        lost = report_output_error(lines.error) if lines.error is not None else 0
    elif not resolved.settings.quiet:
        selector, empty = _selector(resolved.settings, resolved), bool(summary.lost_sources)
        text = summary_text(summary.as_dict(), selector=selector, lost_source=empty)
        if retry and summary.exit_code == ExitCode.OK and not summary.counters.found:
            text = f"Run {summary.run}: complete. No file is left to retry."
        lost = print_line(text)
    if lost == ExitCode.MACHINE:
        return exit_code(summary.counters, reasons=(summary.exit_code, lost))
    return summary.exit_code


async def _end_lines(lines: JsonLines, summary: Summary) -> None:
    """Write the last lines. After a signal, wait at most 5 seconds for a reader that no longer reads."""
    stopped = summary.exit_code in (ExitCode.SIGHUP, ExitCode.SIGINT, ExitCode.SIGTERM)
    with anyio.move_on_after(_LAST_LINES_TIMEOUT if stopped else math.inf) as limit:
        if summary.error is not None:
            await anyio.to_thread.run_sync(lines.event, error_object(summary.error), abandon_on_cancel=True)
        await anyio.to_thread.run_sync(lines.summary, summary.as_dict(), abandon_on_cancel=True)
    if limit.cancelled_caught:
        os._exit(summary.exit_code)  # the blocked writing thread cannot be stopped


def _selector(settings: Settings, resolved: ResolvedSettings) -> str:
    """Return the options with which the other commands find this run's journal."""
    import shlex  # noqa: PLC0415  # a quiet run prints no summary

    if settings.journal is not None:
        return f"--journal {shlex.quote(settings.journal)}"
    if resolved.profile is not None:
        config = f" --config {shlex.quote(resolved.config_file)}" if resolved.config_file else ""
        return f"--profile {shlex.quote(resolved.profile)}{config}"
    name = [] if settings.source_id is None else ["--source-id", shlex.quote(settings.source_id)]
    return " ".join(["--provider", settings.provider or "", *name, *map(shlex.quote, settings.source)])
