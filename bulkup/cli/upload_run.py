"""Carry out a run for the command line: progress, log, results and the summary."""

from __future__ import annotations

import contextlib
import functools
import math
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, NamedTuple

import anyio
from anyio.abc import TaskGroup

from bulkup.api import Summary, Uploader
from bulkup.api.moved_source import moved_source_warnings
from bulkup.api.uploader import Emit
from bulkup.cli.error_report import error_object, failure_of, report_error
from bulkup.cli.output import print_line, report_output_error
from bulkup.cli.run_logs import log_file, log_to_errors, logs_progress
from bulkup.cli.run_notifier import open_notifier
from bulkup.cli.signals import Signals, has_terminal
from bulkup.config import ResolvedSettings, Settings
from bulkup.config.other_homes import other_homes_warnings
from bulkup.errors import ExitCode
from bulkup.helpers.event_logger import EventLogger, log_fields
from bulkup.helpers.garbage_collector import reduce_gc_frequency
from bulkup.model.items import Result
from bulkup.model.log_events import LogEvent
from bulkup.model.progress import Progress
from bulkup.reports.exit_code import exit_code, exit_code_text
from bulkup.reports.json_lines import JsonLines
from bulkup.reports.progress_log import ProgressLog
from bulkup.reports.summary import summary_text

if TYPE_CHECKING:
    from bulkup.cli.service_report import ServiceReport
    from bulkup.reports.error_console import ErrorConsole

_log = EventLogger("bulkup")
_LAST_LINES_TIMEOUT = 5.0


class RunEnd(NamedTuple):
    """The end of a run. `blocked` says that a thread waits for a reader of standard output, and cannot be stopped."""

    summary: Summary
    exit_code: int
    blocked: bool


async def run_upload(resolved: ResolvedSettings, retry: bool = False) -> int:
    """Carry out a run, or with `retry` one of the files that are not uploaded, and return its exit code.

    Raises an error, usually a BulkupError, if the run cannot start; it may be inside an exception group.
    """
    settings = resolved.settings
    console = live_console(settings)
    errors = log_to_errors(settings, console)
    notify_limit = settings.notify.limit if settings.notify is not None else 0.0
    reloads = resolved.profile is not None and not has_terminal()
    with Signals(console, settings.grace + notify_limit, reloads=reloads) as signals:
        async with contextlib.AsyncExitStack() as stack:
            service = await stack.enter_async_context(open_service_report())
            notifier = await open_notifier(resolved, os.environ, signals, stack)
            try:
                stack.enter_context(log_file(resolved, errors))
                if settings.metrics_file is not None or settings.metrics_addr is not None:
                    _check_metrics(resolved)
                if settings.report is not None:
                    from bulkup.cli.run_report_file import check_report  # noqa: PLC0415  # few runs have a report

                    check_report(resolved)
                notifier.start()
                end = await _upload(resolved, console, signals, service, retry=retry)
            except BaseException as error:
                failure = failure_of(error)
                _log.error(LogEvent.RUN_FAILED, reason=failure.message, hint=failure.hint, exit_code=failure.exit_code)
                await notifier.failed(error)
                raise
            await notifier.ended(end.summary, end.exit_code, await written_report(resolved, end.summary))
            if end.blocked:
                os._exit(end.exit_code)  # the blocked writing thread cannot be stopped
            return end.exit_code


async def _upload(
    resolved: ResolvedSettings,
    console: ErrorConsole | None,
    signals: Signals,
    service: ServiceReport | None,
    *,
    retry: bool,
) -> RunEnd:
    """Carry out a run and print its results."""
    moved = await anyio.to_thread.run_sync(moved_source_warnings, resolved, os.environ)
    for warning in (*resolved.warnings, *other_homes_warnings(resolved, os.environ), *moved):
        _log.warning(LogEvent.SETTINGS_WARNING, text=warning)
    lines = JsonLines(sys.stdout.buffer) if resolved.settings.json_output else None
    reduce_gc_frequency()
    summary = await _run(resolved, lines, console, signals, service, retry=retry)
    if service is not None:
        service.ended("interrupted" if summary is None else exit_code_text(summary.exit_code))
    if summary is None:
        raise signals.interruption()
    signals.on_first = signals.exit_now  # the run is over; at most a slow reader of the output is left
    return await _report_summary(summary, lines, resolved, retry=retry)


def open_service_report() -> AbstractAsyncContextManager[ServiceReport | None]:
    """Return the report to the service manager that started this process, None if none did."""
    if "NOTIFY_SOCKET" not in os.environ:
        return contextlib.nullcontext()
    from bulkup.cli.service_report import reporting  # noqa: PLC0415  # only a service needs it
    from bulkup.helpers.sd_notify import service_manager  # noqa: PLC0415  # the same

    manager = service_manager(os.environ, os.getpid())
    return contextlib.nullcontext() if manager is None else reporting(manager)


def live_console(settings: Settings) -> ErrorConsole | None:
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
                service.progress = uploader.progress
            with live_view(uploader.progress, settings, console) as show, log_fields(run=uploader.run_id):
                async with (
                    _metrics(uploader, resolved) as note_end,
                    _control(uploader, resolved, signals) as note_code,
                    anyio.create_task_group() as beside,
                ):
                    signals.on_reload = functools.partial(_reload, beside, uploader, resolved)
                    if signals.reload_wanted:
                        signals.on_reload()
                    beside.start_soon(show)
                    if logs_progress(settings, console):
                        beside.start_soon(ProgressLog(uploader.progress).run_until_cancelled)
                    emit = None if lines is None else _emitter(lines)
                    summary = await uploader.run(emit)
                    note_end(summary)
                    await note_code(summary)
                    signals.on_reload = None
                    beside.cancel_scope.cancel()
    return summary


async def written_report(resolved: ResolvedSettings, summary: Summary) -> str | None:
    """Write the report of the run, if its profile wants one. Return how notifications name it."""
    if resolved.settings.report is None:
        return None
    from bulkup.cli.run_report_file import write_run_report  # noqa: PLC0415  # few runs have a report

    return await write_run_report(resolved, summary)


def _check_metrics(resolved: ResolvedSettings) -> None:
    from bulkup.cli.run_metrics_export import check_metrics  # noqa: PLC0415  # few runs have metrics

    check_metrics(resolved)


def _metrics(uploader: Uploader, resolved: ResolvedSettings) -> AbstractAsyncContextManager[Callable[[Summary], None]]:
    if resolved.settings.metrics_file is None and resolved.settings.metrics_addr is None:
        return contextlib.nullcontext(lambda _: None)
    from bulkup.cli.run_metrics_export import exported_metrics  # noqa: PLC0415  # the same

    return exported_metrics(uploader, resolved)


@contextlib.asynccontextmanager
async def _control(
    uploader: Uploader, resolved: ResolvedSettings, signals: Signals
) -> AsyncIterator[Callable[[Summary], Awaitable[None]]]:
    """Serve the control socket of the run. Yield what to call at its end."""
    from bulkup.api.control.control_server import serving  # noqa: PLC0415  # at a start, no upload waits for it
    from bulkup.api.control.run_controls import RunControls  # noqa: PLC0415  # the same

    controls = RunControls(uploader, signals.interrupt, profile=resolved.profile)
    async with serving(uploader.journal, controls) as server:

        async def note_code(summary: Summary) -> None:
            if server is not None:
                await server.end(summary.exit_code)

        yield note_code


def _reload(beside: TaskGroup, uploader: Uploader, resolved: ResolvedSettings) -> None:
    from bulkup.cli.reloading import reload_profile  # noqa: PLC0415  # few runs do so

    with log_fields(run=uploader.run_id):  # a signal is handled outside of the run's tasks
        beside.start_soon(reload_profile, uploader, resolved)


def _stop(uploader: Uploader, service: ServiceReport | None, code: ExitCode) -> None:
    with log_fields(run=uploader.run_id):  # as above
        _log.warning(LogEvent.RUN_STOPPING)
    if service is not None:
        service.stopping()
    uploader.stop(code)


@contextlib.contextmanager
def live_view(
    progress: Callable[[], Progress | None],
    settings: Settings,
    console: ErrorConsole | None,
    idle: Callable[[int], Sequence[str]] = lambda _: (),
) -> Iterator[Callable[[], Coroutine[Any, Any, None]]]:
    """Yield the function that shows a live view, if any, until it is cancelled. It begins anew after Ctrl-Z.

    `idle` returns the lines for a width while there is no progress.
    """
    if console is None:
        yield anyio.sleep_forever
    else:
        from bulkup.cli.suspension import Foreground, suspension  # noqa: PLC0415  # only a terminal needs it
        from bulkup.reports.display import ProgressDisplay  # noqa: PLC0415  # it imports rich

        ours = Foreground(sys.stderr.fileno()) if sys.stderr.isatty() else lambda: True
        display = ProgressDisplay(console, progress, verbose=settings.verbose, idle=idle, ours=ours)
        with suspension(display.left):
            yield display.run_until_cancelled


def _emitter(lines: JsonLines) -> Emit:
    async def emit(results: Sequence[Result]) -> None:
        # In a thread: a reader that stops reading may block the run, but not the signals that end it.
        await anyio.to_thread.run_sync(lines.results, results, abandon_on_cancel=True)

    return emit


async def _report_summary(
    summary: Summary, lines: JsonLines | None, resolved: ResolvedSettings, *, retry: bool
) -> RunEnd:
    """Print the summary. The exit code is that of the run, unless its output could not be written."""
    if summary.error is not None:
        report_error(summary.error, as_json=False)
    lost, blocked = 0, False
    if lines is not None:
        blocked = await _end_lines(lines, summary)
        lost = report_output_error(lines.error) if lines.error is not None else 0
    elif not resolved.settings.quiet:
        from bulkup.cli.given_options import given_options  # noqa: PLC0415  # a quiet run prints no summary

        text = summary_text(summary.as_dict(), options=given_options(resolved))
        if retry and summary.exit_code == ExitCode.OK and not summary.counters.found:
            text = f"Run {summary.run}: complete. No file is left to retry."
        lost = print_line(text)
    if lost == ExitCode.MACHINE:
        code = exit_code(summary.counters, reasons=(summary.exit_code, lost))
        return RunEnd(summary, code, blocked)
    return RunEnd(summary, summary.exit_code, blocked)


async def _end_lines(lines: JsonLines, summary: Summary) -> bool:
    """Write the last lines, and return whether they are blocked: after a signal, by a reader that reads no more."""
    stopped = summary.exit_code in (ExitCode.SIGHUP, ExitCode.SIGINT, ExitCode.SIGTERM)
    with anyio.move_on_after(_LAST_LINES_TIMEOUT if stopped else math.inf) as limit:
        if summary.error is not None:
            await anyio.to_thread.run_sync(lines.event, error_object(summary.error), abandon_on_cancel=True)
        await anyio.to_thread.run_sync(lines.summary, summary.as_dict(), abandon_on_cancel=True)
    return limit.cancelled_caught
