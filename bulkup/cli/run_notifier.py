"""Notifications of `bulkup upload`: they are sent while signals are handled, and never change how a command ends."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Mapping
from typing import TYPE_CHECKING

import anyio

from bulkup.cli.error_report import failure_of
from bulkup.cli.signals import Signals
from bulkup.config import ResolvedSettings
from bulkup.config.loading import NotifySettings
from bulkup.errors import BulkupError
from bulkup.helpers.event_logger import EventLogger, log_fields
from bulkup.model.log_events import LogEvent

if TYPE_CHECKING:
    from bulkup.api import Summary
    from bulkup.api.notify.notifier import Notifier

_log = EventLogger("bulkup.notify")


class RunNotifier:
    """Notifies of one run, if its profile says so. A signal ends notifications that are on their way."""

    def __init__(self, notifier: Notifier | None, signals: Signals) -> None:
        self._notifier = notifier
        self._signals = signals

    def start(self) -> None:
        """Notify of the start, beside the run."""
        if self._notifier is not None:
            self._notifier.start()

    async def ended(self, summary: Summary, exit_code: int, report: str | None) -> None:
        """Notify of the end of a run. `report` is the path or the address of its report."""
        if self._notifier is not None:
            with log_fields(run=summary.run):
                await self._until_signal(self._notifier.ended(summary, exit_code, report))

    async def failed(self, error: BaseException) -> None:
        """Notify of a run that could not start, or broke off."""
        if self._notifier is not None:
            failure = failure_of(error)
            await self._until_signal(self._notifier.failed(failure.exit_code, failure.message, failure.hint))

    async def _until_signal(self, notification: Awaitable[None]) -> None:
        with anyio.CancelScope() as scope:
            self._signals.on_first = lambda _: scope.cancel()
            await notification


async def open_notifier(
    resolved: ResolvedSettings, environ: Mapping[str, str], signals: Signals, stack: contextlib.AsyncExitStack
) -> RunNotifier:
    """Return the notifier of a run, which the stack closes."""
    notifier = None
    if resolved.settings.notify is not None:
        from bulkup.api.notify.notifier import Notifier  # noqa: PLC0415  # most runs notify nobody

        try:
            made = Notifier(resolved.settings, profile=resolved.profile, environ=environ)
            notifier = await stack.enter_async_context(made)
        except (BulkupError, OSError) as error:
            _log.warning(LogEvent.NOTIFY_FAILED, receiver="notify", moment="start", reason=failure_of(error).message)
    return RunNotifier(notifier, signals)


async def notify_of_error(found: NotifySettings, error: BulkupError) -> None:
    """Notify of an error in the settings of a profile."""
    resolved, environ = found
    assert resolved.settings.notify is not None
    with Signals(None, resolved.settings.notify.limit) as signals:
        async with contextlib.AsyncExitStack() as stack:
            await (await open_notifier(resolved, environ, signals, stack)).failed(error)
