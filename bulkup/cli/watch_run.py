"""Carry out a watch for the command line: its runs one after the other, with log, results, metrics and notifications.

The receivers of the profile are notified of the runs that look at all files, in the beginning and at night, and when a
run is the first bad one after good ones. A folder in which something arrives every minute would flood them otherwise.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import os
import sys
from typing import TYPE_CHECKING

import anyio

from bulkup.api import Summary, Uploader, composition
from bulkup.api.control.control_server import serving
from bulkup.api.uploader import JournalHold, PartOfWatch
from bulkup.api.watch.folder_events import require_watchfiles
from bulkup.api.watch.path_filter import read_path_filter
from bulkup.api.watch.watch_check import check_watch
from bulkup.api.watch.watch_controls import WatchControls
from bulkup.api.watch.watch_plan import WatchOptions
from bulkup.api.watch.watcher import Paths, TooNew, Watcher
from bulkup.cli.error_report import error_lines, failure_of, report_error
from bulkup.cli.reloading import read_profile_again
from bulkup.cli.run_logs import log_file, log_to_errors, logs_progress
from bulkup.cli.run_metrics_export import check_metrics, exported_metrics
from bulkup.cli.run_notifier import RunNotifier, open_notifier
from bulkup.cli.signals import Signals, has_terminal
from bulkup.cli.upload_run import live_console, live_view, open_service_report, written_report
from bulkup.config import ResolvedSettings, Settings, journal_path
from bulkup.errors import BulkupError, ExitCode, UsageError
from bulkup.helpers.clock import SystemClock
from bulkup.helpers.event_logger import EventLogger, log_fields
from bulkup.helpers.garbage_collector import reduce_gc_frequency
from bulkup.journal.prune import forget_old_runs
from bulkup.model.log_events import LogEvent
from bulkup.reports.exit_code import exit_code_text
from bulkup.reports.formatting import count_text
from bulkup.reports.json_lines import JsonLines
from bulkup.reports.logs import print_above
from bulkup.reports.progress_log import ProgressLog
from bulkup.reports.watch_lines import WatchState, watch_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anyio.abc import TaskGroup

    from bulkup.api.control.control_server import ControlServer
    from bulkup.cli.service_report import ServiceReport
    from bulkup.model.items import Result
    from bulkup.model.progress import Progress
    from bulkup.reports.error_console import ErrorConsole

_log = EventLogger("bulkup")
_FIXED = ("source", "journal", "rescan_at", "log_file", "metrics_file", "notify")  # in use from the beginning


async def run_watch(resolved: ResolvedSettings) -> int:
    """Watch until a signal or an error ends it, and return the exit code. Raises a `BulkupError` at the start."""
    settings = resolved.settings
    check_watch(settings)
    require_watchfiles()
    if any(source.only is not None for source in composition.resolve_sources(settings)):
        raise UsageError("watch needs directories as sources", hint="name the directory of the file, and --include")
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
                if settings.metrics_file is not None:
                    check_metrics(resolved)
                if settings.report is not None:
                    from bulkup.cli.run_report_file import check_report  # noqa: PLC0415  # few watches have a report

                    check_report(resolved)
                reduce_gc_frequency()
                watch = _Watch(resolved, signals, service, notifier, console)
                return await watch.work(_absolute(settings.source))
            except BaseException as error:
                failure = failure_of(error)
                _log.error(LogEvent.RUN_FAILED, reason=failure.message, hint=failure.hint, exit_code=failure.exit_code)
                await notifier.failed(error)
                raise


class _Watch:
    """The runs of one watch."""

    def __init__(
        self,
        resolved: ResolvedSettings,
        signals: Signals,
        service: ServiceReport | None,
        notifier: RunNotifier,
        console: ErrorConsole | None,
    ) -> None:
        self._resolved = resolved
        self._signals = signals
        self._service = service
        self._notifier = notifier
        self._console = console
        settings = resolved.settings
        self._lines = JsonLines(sys.stdout.buffer) if settings.json_output else None
        self._hold = JournalHold()
        self._held = anyio.Event()
        self._over = anyio.Event()
        self._beginning: anyio.CancelScope | None = None
        self._uploader: Uploader | None = None
        self._uploaded = 0
        self._last: dt.datetime | None = None
        self._since = _local_now()
        self._was_good = True
        self._watcher: Watcher
        self._server: ControlServer | None = None
        path = journal_path(settings, resolved.profile, settings.source, os.environ, resolved.config_file)
        self._journal = path
        self._controls = WatchControls(
            lambda: self._resolved.settings, path, signals.interrupt, profile=resolved.profile
        )

    async def work(self, sources: Sequence[bytes]) -> int:
        """Watch the sources, and return the exit code."""
        settings = self._resolved.settings
        options = WatchOptions(settle=_settle(settings))
        rescan_at = settings.rescan_at
        watcher = Watcher(sources, rescan_at, self._run, clock=SystemClock(), idle=self._idle, options=options)
        self._watcher = watcher
        self._signals.on_first = self._stop

        def reload_in(beside: TaskGroup) -> None:
            beside.start_soon(self._reload)

        _log.info(LogEvent.WATCH_STARTED, sources=", ".join(map(os.fsdecode, sources)))
        if self._service is not None:
            self._service.waiting = self._status
        view = live_view(self._progress, settings, self._console, self._idle_lines)
        try:
            with view as show:
                async with anyio.create_task_group() as beside:
                    beside.start_soon(show)
                    beside.start_soon(self._serve_control)
                    self._signals.on_reload = lambda: reload_in(beside)
                    if self._signals.reload_wanted:
                        reload_in(beside)
                    code = await watcher.work()
                    if self._server is not None:
                        await self._server.end(code)
                    self._over.set()
                    self._signals.on_reload = None
                    beside.cancel_scope.cancel()
        finally:
            self._hold.release()
        if self._service is not None:
            self._service.ended(exit_code_text(code))
        return code

    async def _run(self, paths: Paths | None, too_new: TooNew) -> Summary | None:
        """Carry out one run. Return None if it was stopped before it had begun."""
        resolved, summary = self._resolved, None
        settings = resolved.settings.model_copy(update={"min_age": _settle(resolved.settings)})
        part = PartOfWatch(self._hold, too_new, paths)
        made = Uploader(settings, profile=resolved.profile, config_file=resolved.config_file, watch=part)
        with anyio.CancelScope() as beginning:
            self._beginning = beginning
            await self._filter_paths()
            async with made as uploader:
                self._beginning, self._uploader = None, uploader
                self._held.set()
                try:
                    summary = await self._carry_out(uploader, resolved)
                finally:
                    self._controls.end()
                    self._uploader = None
        self._beginning = None
        if summary is None:
            return None
        self._uploaded += summary.counters.uploaded
        if summary.counters.uploaded:
            self._last = _local_now()
        await self._report(summary, looked_at_all=paths is None)
        if paths is None:
            before = SystemClock().now() - WatchOptions().kept
            await anyio.to_thread.run_sync(forget_old_runs, self._journal, before)
        return summary

    async def _filter_paths(self) -> None:
        """Read which changed paths begin a run. A source that is away for a moment changes nothing."""
        with contextlib.suppress(UsageError):
            found = await anyio.to_thread.run_sync(
                read_path_filter, self._resolved.settings, os.environ, abandon_on_cancel=True
            )
            self._watcher.filter_by(found)

    async def _carry_out(self, uploader: Uploader, resolved: ResolvedSettings) -> Summary:
        if self._resolved is not resolved:  # the profile was read again while the run was set up
            uploader.limit_bandwidth(self._resolved.settings.bwlimit)
        self._controls.begin(uploader)
        if self._service is not None:
            self._service.progress = uploader.progress
        metrics = exported_metrics(uploader, resolved) if resolved.settings.metrics_file is not None else None
        async with contextlib.AsyncExitStack() as stack:
            note_end = None if metrics is None else await stack.enter_async_context(metrics)
            async with anyio.create_task_group() as beside:
                if logs_progress(resolved.settings, self._console):
                    beside.start_soon(ProgressLog(uploader.progress, at_end=False).run_until_cancelled)
                summary = await uploader.run(None if self._lines is None else self._emit)
                if note_end is not None:
                    note_end(summary)
                beside.cancel_scope.cancel()
        return summary

    async def _emit(self, results: Sequence[Result]) -> None:
        assert self._lines is not None
        await anyio.to_thread.run_sync(self._lines.results, results, abandon_on_cancel=True)

    async def _report(self, summary: Summary, *, looked_at_all: bool) -> None:
        good = summary.exit_code in (ExitCode.OK, ExitCode.INCOMPLETE)
        if summary.error is not None:
            self._print_error(summary.error)
        if self._lines is not None:
            await anyio.to_thread.run_sync(self._lines.summary, summary.as_dict(), abandon_on_cancel=True)
        if looked_at_all or (self._was_good and not good):
            report = await written_report(self._resolved, summary)
            await self._notifier.ended(summary, int(summary.exit_code), report)
            self._signals.on_first = self._stop
            if self._signals.code is not None:  # it has ended the notifications, and now ends the watch
                self._stop(self._signals.code)
        self._was_good = good

    async def _serve_control(self) -> None:
        """Serve the control socket of all runs, once the first one has the journal's lock."""
        await self._held.wait()
        async with serving(self._journal, self._controls) as self._server:
            await self._over.wait()

    def _idle(self) -> None:
        if self._service is not None:
            self._service.progress = None
        since = self._since.strftime("%Y-%m-%d %H:%M")
        text = f"{count_text(self._uploaded, 'file')} uploaded since {since}"
        _log.info(LogEvent.WATCH_IDLE, text=text, files=self._uploaded, since=since)

    def _progress(self) -> Progress | None:
        """Return the progress of the run under way, None between two of them."""
        return None if self._uploader is None else self._uploader.progress()

    def _idle_lines(self, width: int) -> list[str]:
        """Return the lines of a terminal between two runs."""
        next_look = dt.datetime.fromtimestamp(self._watcher.rescan_at).astimezone()
        state = WatchState(self._since, self._uploaded, self._last, next_look, self._controls.is_paused)
        return watch_lines(state, _local_now(), width)

    def _print_error(self, error: BulkupError) -> None:
        """Print the error of a run, above the live view if there is one."""
        if self._console is None:
            report_error(error, as_json=False)
        else:
            print_above(self._console, "\n".join(error_lines(error)))

    def _status(self) -> str:
        """Return the line of the service manager between two runs."""
        return f"watching, {count_text(self._uploaded, 'file')} since {self._since:%Y-%m-%d %H:%M}"

    def _stop(self, code: ExitCode) -> None:
        if self._service is not None:
            self._service.stopping()
        self._watcher.stop(code)
        if self._beginning is not None:
            self._beginning.cancel()
        if self._uploader is not None:
            with log_fields(run=self._uploader.run_id):
                _log.warning(LogEvent.RUN_STOPPING)
            self._uploader.stop(code)

    async def _reload(self) -> None:
        """Read the profile again: a run under way gets the new limit, and later runs have all of its settings."""
        again = await read_profile_again(self._resolved, check_watch)
        if again is None:
            return
        kept = {name: getattr(self._resolved.settings, name) for name in _FIXED}
        self._resolved = dataclasses.replace(again, settings=again.settings.model_copy(update=kept))
        self._watcher.settle_for(_settle(self._resolved.settings))
        self._controls.forget_bandwidth()
        if self._uploader is not None:
            self._uploader.limit_bandwidth(self._resolved.settings.bwlimit)
        await self._filter_paths()


def _settle(settings: Settings) -> float:
    """Return the time in seconds without a change after which a file is sent."""
    return max(WatchOptions().settle, settings.min_age)


def _local_now() -> dt.datetime:
    return dt.datetime.now().astimezone()


def _absolute(paths: Sequence[str]) -> list[bytes]:
    return [os.path.abspath(os.fsencode(path)) for path in paths]
