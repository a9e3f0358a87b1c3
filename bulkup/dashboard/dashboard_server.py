"""The server of the dashboard: listens on the loopback address, and owns all that its requests use."""

from __future__ import annotations

import contextlib
import errno
import secrets
import socket
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

import anyio
from aiohttp import web

from bulkup.dashboard.access import AccessRules, loopback_hosts
from bulkup.dashboard.dashboard_options import DashboardOptions
from bulkup.dashboard.dashboard_state import DashboardState
from bulkup.dashboard.guard import add_headers, guard
from bulkup.dashboard.handlers import Handlers
from bulkup.dashboard.journal_list import JournalList
from bulkup.dashboard.page_connection import serve
from bulkup.dashboard.page_files import read_page_files
from bulkup.dashboard.retry_jobs import RetryCommand, RetryJobs
from bulkup.errors import MachineError
from bulkup.helpers.clock import Clock, SystemClock
from bulkup.helpers.quick_dataclass import dataclass
from bulkup.helpers.secrets import Secret

_ADDRESS = "127.0.0.1"
_TOKEN_BYTES = 32
_CLOSE = 2.0  # seconds for requests under way


@dataclass(frozen=True, slots=True)
class DashboardConfig:
    """The journals that the dashboard shows, and its port.

    `folder` has the journals of this user, `journals` are further files. `port` 0 chooses a free one. `alike` removes
    the details of single files from a reason. `retry_command` returns the command that uploads listed files again.
    """

    folder: str | None
    journals: Sequence[str]
    alike: Callable[[str], str]
    retry_command: RetryCommand
    port: int = 0
    options: DashboardOptions = DashboardOptions()


class DashboardServer:
    """The dashboard in this event loop. It runs within `async with`.

    Entering raises MachineError if the port cannot be used.
    """

    def __init__(self, config: DashboardConfig, clock: Clock | None = None) -> None:
        self._config = config
        self._clock = clock or SystemClock()
        self._token = Secret(secrets.token_urlsafe(_TOKEN_BYTES))
        self._stack = contextlib.AsyncExitStack()
        self._port = 0

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as stack:
            await self._start(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @property
    def url(self) -> str:
        """The address of the page, without the token."""
        return f"http://{_ADDRESS}:{self._port}/"

    @property
    def secret_url(self) -> Secret:
        """The address that opens the page. The token is in the fragment, which a browser never sends."""
        return Secret(f"{self.url}#token={self._token.reveal()}")

    async def _start(self, stack: contextlib.AsyncExitStack) -> None:
        config = self._config
        listener = _listening(config.port)
        stack.callback(listener.close)
        self._port = int(listener.getsockname()[1])
        group = await stack.enter_async_context(anyio.create_task_group())
        stack.callback(group.cancel_scope.cancel)
        journals = JournalList(config.folder, config.journals, config.options.shown_runs, config.options.journal_wait)
        state = DashboardState(group, journals, config.alike, self._clock, config.options)
        retries = RetryJobs(state, config.retry_command)
        application = web.Application(middlewares=[guard(self._rules)], client_max_size=config.options.largest_request)
        application.on_response_prepare.append(add_headers)
        Handlers(state, retries).add_to(application)
        application.router.add_get("/{path:.*}", read_page_files().handle)
        runner = web.AppRunner(application, shutdown_timeout=_CLOSE)
        stack.push_async_callback(runner.cleanup)
        stack.callback(state.hub.close)
        await runner.setup()
        assert runner.server is not None  # since `setup`
        stack.callback((await serve(runner.server, listener, config.options)).close)
        group.start_soon(state.watch)

    def _rules(self) -> AccessRules:
        return AccessRules(self._token, loopback_hosts(self._port))


def _listening(port: int) -> socket.socket:
    """Return a socket that listens on the loopback address. Raises MachineError."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((_ADDRESS, port))
        listener.listen()  # from now on, no other user can have the port
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            hint = "another dashboard may run already; or name another port, or none: --port 0 chooses a free one"
            raise MachineError(f"port {port} of this machine is in use by another program", hint=hint) from error
        hint = "ports below 1024 belong to root" if error.errno == errno.EACCES else "name another one with --port"
        raise MachineError(f"cannot listen on port {port}: {error.strerror or error}", hint=hint) from error
    return listener
