"""The embedded server: opens its store, listens, and closes everything in order."""

from __future__ import annotations

import contextlib
import logging
import os
import ssl
from collections.abc import Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from bulkup.errors import MachineError, UsageError
from bulkup.helpers.clock import Clock, SystemClock
from bulkup.localserver.context import ServerContext
from bulkup.localserver.faults import FaultOptions, FaultPlan, FaultSpec
from bulkup.localserver.listener import listen
from bulkup.localserver.move_ugc import move_endpoint
from bulkup.localserver.route_table import create_application
from bulkup.localserver.s3 import sigv4
from bulkup.localserver.server_config import ServerConfig
from bulkup.localserver.server_limits import ServerLimits
from bulkup.localserver.server_state import ServerState, state_lock
from bulkup.localserver.server_storage import ServerStorage
from bulkup.localserver.signing_types import ServerOrigin

_log = logging.getLogger(__name__)
_http_log = logging.getLogger("bulkup.localserver.http")


class LocalServer:
    """An embedded server in this event loop. It runs within `async with`.

    Entering raises MachineError (port taken, store not writable or in use) or UsageError (certificate, host). `clock`
    decides when URLs expire. Tests replace it, and the limits.
    """

    def __init__(self, config: ServerConfig, clock: Clock | None = None, limits: ServerLimits | None = None) -> None:
        self._config = config
        self._clock = clock or SystemClock()
        self._limits = limits or ServerLimits()
        self._stack = contextlib.AsyncExitStack()
        self._context: ServerContext | None = None
        self._url = ""

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
        """The URL of the server's root, without a slash at the end."""
        return self._url

    @property
    def objects_dir(self) -> str:
        """The directory of the objects. It contains nothing else."""
        return os.path.join(self._config.store, "objects")

    def presign_put(self, key: str, seconds: int) -> str:
        """Return a URL that stores an object under `key` within that time, as an API of the server would issue it.

        The key is the path of the object below `objects_dir`.
        """
        context, (scheme, _, host) = self._running, self._url.partition("://")
        return sigv4.presign("PUT", ServerOrigin(scheme, host), key, context.key, context.clock.now(), seconds)

    def stats(self) -> dict[str, int]:
        """Return the counters, as `GET /-/stats` does."""
        return self._running.counters.read()

    def set_credentials(
        self,
        *,
        token: str | None = None,
        api_key: str | None = None,
        access_key: str | None = None,
        secret_key: str | None = None,
        iam_password: str | None = None,
        client_secret: str | None = None,
        security_token: str | None = None,
    ) -> None:
        """Change credentials; None keeps the old one. URLs that the server issued stay valid, tokens do not.

        With a new `security_token` the session of the earlier one is over, and with it the URLs that it signed.
        """
        given = {
            "token": token,
            "api_key": api_key,
            "access_key": access_key,
            "secret_key": secret_key,
            "iam_password": iam_password,
            "client_secret": client_secret,
            "security_token": security_token,
        }
        if security_token:
            self._running.ended_tokens |= {self._running.config.security_token}
        changed: dict[str, Any] = {name: value for name, value in given.items() if value}
        self._running.config = replace(self._running.config, **changed)

    def set_faults(self, faults: Sequence[FaultSpec], seed: int = 0, options: FaultOptions | None = None) -> None:
        """Replace all faults."""
        self._running.faults = FaultPlan(faults, seed, options)

    @property
    def _running(self) -> ServerContext:
        if self._context is None:
            raise RuntimeError("the server has not been entered")
        return self._context

    async def _start(self, stack: contextlib.AsyncExitStack) -> None:
        try:
            state = await self._open_state(stack)
            storage = ServerStorage.open(self.objects_dir, self._in_state(), self._limits.max_records)
            stack.callback(storage.close)
        except OSError as error:
            reason = f"{error.filename}: {error.strerror}" if error.filename else f"{error}"
            hint = "check its owner and its permissions, or name another folder with --store"
            raise MachineError(f"the store {self._config.store} cannot be used: {reason}", hint=hint) from error
        self._context = self._new_context(state)
        runner = web.AppRunner(
            create_application(self._context, storage),
            access_log=None,
            logger=_http_log,
            auto_decompress=False,  # an object is stored as sent, also with a Content-Encoding
            shutdown_timeout=self._limits.close_timeout,
            keepalive_timeout=self._limits.headers_timeout,
            lingering_time=self._limits.linger_timeout,
        )
        stack.push_async_callback(runner.cleanup)
        await runner.setup()
        self._url = await listen(runner, self._config, state.last_port(), tls_context(self._config.tls))
        state.remember_port(int(self._url.rpartition(":")[2]))
        if not move_endpoint.is_available():
            _log.warning("%s", move_endpoint.EXTRA_MISSING)

    async def _open_state(self, stack: contextlib.AsyncExitStack) -> ServerState:
        await stack.enter_async_context(state_lock(self._in_state(), self._limits.lock_timeout))
        state = ServerState(self._in_state())
        stack.callback(state.counters.close)
        stack.callback(state.fault_counters.close)
        return state

    def _new_context(self, state: ServerState) -> ServerContext:
        return ServerContext(
            clock=self._clock,
            key=state.key,
            counters=state.counters,
            fault_counters=state.fault_counters,
            faults=FaultPlan(self._config.faults, self._config.seed),
            config=self._config,
            limits=self._limits,
        )

    def _in_state(self, *parts: str) -> str:
        return os.path.join(self._config.store, "state", *parts)


def _no_malformed_request(record: logging.LogRecord) -> bool:
    """Keep malformed requests out of the log: aiohttp quotes them, with the signature in their URL."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


_http_log.addFilter(_no_malformed_request)


def tls_context(files: tuple[str, str] | None) -> ssl.SSLContext | None:
    """Return the TLS context for the files of a certificate and its key, None without them. Raises UsageError."""
    if files is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(*files)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(f"the certificate {files[0]} and key {files[1]} cannot be used: {error}") from error
    return context
