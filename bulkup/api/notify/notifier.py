"""Sends the notifications of a run, as the table of its profile says."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import socket
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Self

import anyio
from anyio.abc import TaskGroup

from bulkup.api.notify.delivery import Delivery, deliver
from bulkup.api.notify.hook_command import environment_without_secrets, run_hook
from bulkup.api.notify.notification import Moment, Notification, RunProfile, end_of_run, moment_of
from bulkup.api.notify.notification_text import notification_object, requests_for, variables
from bulkup.api.run_summary import Summary
from bulkup.config import Settings
from bulkup.config.notify_table import ADDRESSES, COMMANDS, CommandLine, Notify, fetch_address
from bulkup.config.secret_source import SecretSource
from bulkup.errors import UsageError
from bulkup.helpers.clock import SystemClock
from bulkup.helpers.event_logger import EventLogger
from bulkup.helpers.secrets import SecretAddress
from bulkup.model.http import ApiCall
from bulkup.model.log_events import LogEvent
from bulkup.reports.exit_code import exit_code_text
from bulkup.reports.json_text import dumps
from bulkup.transport import Transport, TransportOptions

_log = EventLogger("bulkup.notify")
_LONGEST_ATTEMPT = 10.0  # seconds; half of them to connect
_FETCHING = 0.5  # of the time limit; an address that is not there by then must not delay the others
_NOT_FETCHED = "its address could not be fetched in time"


class Notifier:
    """Notifies of one run. Use it as an async context manager. Failures are only logged.

    The addresses are fetched beside the run. `start` returns at once. The end of a run takes at most the time limit of
    the table, and abandons a start that is still on its way.
    """

    def __init__(self, settings: Settings, *, profile: str | None, environ: Mapping[str, str]) -> None:
        assert settings.notify is not None
        self._settings = settings
        self._table: Notify = settings.notify
        self._environ = environ
        self._profile = RunProfile(profile, socket.gethostname())
        self._clock = SystemClock()
        self._addresses: dict[str, SecretAddress] = {}
        self._faults = dict.fromkeys(self._table.addresses(), _NOT_FETCHED)
        self._fetched = anyio.Event()
        self._starting = anyio.CancelScope()
        self._stack = contextlib.AsyncExitStack()
        self._tasks: TaskGroup
        self._call: ApiCall

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as stack:
            transport = await stack.enter_async_context(self._transport())
            self._call = functools.partial(transport.call, "")
            self._tasks = await stack.enter_async_context(anyio.create_task_group())
            self._tasks.start_soon(self._fetch)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        self._tasks.cancel_scope.cancel()
        return await self._stack.__aexit__(kind, error, trace)

    def start(self) -> None:
        """Notify of the start, beside the run."""
        self._tasks.start_soon(self._start)

    async def ended(self, summary: Summary, exit_code: int, report: str | None = None) -> None:
        """Notify of the end of a run. `report` is the path or the address of its report."""
        told = end_of_run(summary, exit_code, self._profile, self._clock.now(), self._table.success_codes)
        await self._send(dataclasses.replace(told, report=report))

    async def failed(self, exit_code: int, error: str, hint: str) -> None:
        """Notify of a run that could not start, or broke off."""
        moment, outcome = moment_of(exit_code, self._table.success_codes), exit_code_text(exit_code)
        told = Notification(moment, self._profile, self._clock.now(), None, exit_code, outcome, error, hint or None)
        await self._send(told)

    async def test(self, moment: Moment) -> list[Delivery]:
        """Send a test message to every receiver of this moment."""
        return await self._send(Notification(moment, self._profile, self._clock.now(), test=True))

    async def _start(self) -> None:
        with self._starting:
            await self._send(Notification("start", self._profile, self._clock.now()))

    async def _send(self, told: Notification) -> list[Delivery]:
        """Send a notification to all its receivers at the same time, and log the failures."""
        if told.moment != "start":
            self._starting.cancel()
        begun, limit = anyio.current_time(), self._table.limit
        with anyio.move_on_after(limit * _FETCHING):
            await self._fetched.wait()
        seconds = max(0.0, limit - (anyio.current_time() - begun))
        deliveries = [Delivery(key, fault) for key, fault in self._faults.items() if told.moment != "start"]

        async def collect(key: str, send: Callable[[], Awaitable[Delivery]]) -> None:
            try:
                deliveries.append(await send())
            except Exception as error:  # noqa: BLE001  # nothing that goes wrong here may reach the run
                deliveries.append(Delivery(key, type(error).__name__))

        async with anyio.create_task_group() as tasks:
            for key, request in requests_for(told, self._table, self._addresses):
                tasks.start_soon(collect, key, functools.partial(deliver, key, request, self._call, seconds))
            key = f"on_{told.moment}"
            if key in COMMANDS and (command := getattr(self._table, key)) is not None:
                tasks.start_soon(collect, key, functools.partial(self._run, key, command, told, seconds))
        for delivery in deliveries:
            _log_delivery(delivery, told.moment)
        return sorted(deliveries, key=lambda delivery: delivery.key)

    async def _run(self, key: str, command: CommandLine, told: Notification, seconds: float) -> Delivery:
        environ = environment_without_secrets(self._environ, self._settings) | variables(told)
        with anyio.move_on_after(seconds):
            return Delivery(key, await run_hook(command.argv, environ, dumps(notification_object(told))))
        return Delivery(key, f"it did not end within {seconds:.3g} s")

    async def _fetch(self) -> None:
        """Fetch the addresses at the same time; a command for one of them may take a while."""
        async with anyio.create_task_group() as tasks:
            for key, source in self._table.addresses().items():
                tasks.start_soon(self._fetch_one, key, source)
        self._fetched.set()

    async def _fetch_one(self, key: str, source: SecretSource) -> None:
        fetch = functools.partial(fetch_address, source, self._environ, self._table.limit * _FETCHING)
        try:
            self._addresses[key] = await anyio.to_thread.run_sync(fetch, abandon_on_cancel=True)
            del self._faults[key]
        except Exception as error:  # noqa: BLE001  # nothing that goes wrong here may reach the run
            self._faults[key] = error.message if isinstance(error, UsageError) else type(error).__name__

    def _transport(self) -> Transport:
        """Return the client. A file of authorities that cannot be used ends the run, which is a reason to notify."""
        half = _LONGEST_ATTEMPT / 2
        options = TransportOptions(1, half, half, self._settings.ca_file, idle_connections=len(ADDRESSES))
        try:
            return Transport(options, self._clock)
        except UsageError:
            return Transport(dataclasses.replace(options, ca_file=None), self._clock)


def _log_delivery(delivery: Delivery, moment: Moment) -> None:
    if delivery.error is None:
        _log.debug(LogEvent.NOTIFY_SENT, receiver=delivery.key, moment=moment)
    else:
        _log.warning(LogEvent.NOTIFY_FAILED, receiver=delivery.key, moment=moment, reason=delivery.error)
