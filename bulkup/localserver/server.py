"""One embedded server: opens its store, routes requests, listens, and closes in order."""

from __future__ import annotations

import contextlib
import logging
import os
import ssl
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from bulkup.clock import Clock, SystemClock
from bulkup.errors import MachineError, UsageError
from bulkup.localserver import local_api, magic_hour, move_ugc
from bulkup.localserver.api import LARGEST_BODY, ListApi, answer, not_found
from bulkup.localserver.config import ServerConfig
from bulkup.localserver.context import Context
from bulkup.localserver.faults import FaultPlan, FaultSpec
from bulkup.localserver.listening import listen
from bulkup.localserver.move_ugc import MoveApi
from bulkup.localserver.objects import ObjectStore
from bulkup.localserver.state import State, locked
from bulkup.localserver.store import Store

_http_log = logging.getLogger("bulkup.localserver.http")

STATS_PATH = "/-/stats"
CLOSE_PATIENCE = 5.0  # seconds for requests under way when the server closes

# Below these no request is ever one for an object.
_RESERVED = ("/v1", "/ugc", "/local/v1", "/-")


class LocalServer:
    """An embedded server in this event loop, running within `async with`.

    Entering raises MachineError (port taken, store not writable or in use) or UsageError (certificate, host). The
    clock decides when URLs expire, and can be replaced in tests.
    """

    def __init__(self, config: ServerConfig, clock: Clock | None = None) -> None:
        self._config = config
        self._clock = clock or SystemClock()
        self._stack = contextlib.AsyncExitStack()
        self._context: Context | None = None
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
        """The server's root, without a slash at its end."""
        return self._url

    @property
    def objects_dir(self) -> str:
        """The directory that holds objects and nothing else."""
        return os.path.join(self._config.store, "objects")

    def stats(self) -> dict[str, int]:
        """Return what `GET /-/stats` answers."""
        return self._running.counters.read()

    def set_credentials(self, *, token: str | None = None, api_key: str | None = None) -> None:
        """Take other credentials from now on; None leaves one as it is. URLs handed out stay good."""
        self._running.token = token or self._running.token
        self._running.api_key = api_key or self._running.api_key

    def set_faults(self, faults: Sequence[FaultSpec], seed: int = 0) -> None:
        """Forget the faults there are, and begin with these."""
        self._running.faults = FaultPlan(faults, seed)

    @property
    def _running(self) -> Context:
        if self._context is None:
            raise RuntimeError("the server has not been entered")
        return self._context

    async def _start(self, stack: contextlib.AsyncExitStack) -> None:
        try:
            state = await self._open_state(stack)
            objects = ObjectStore(self.objects_dir, self._in_state("incoming"))
        except OSError as error:
            raise MachineError(f"the store {self._config.store} cannot be used: {error}") from error
        self._context = self._new_context(state)
        runner = web.AppRunner(
            application(self._context, objects),
            access_log=None,
            logger=_http_log,
            auto_decompress=False,  # an object is what was sent, whatever its Content-Encoding
            shutdown_timeout=CLOSE_PATIENCE,
            lingering_time=2.0,
        )
        stack.push_async_callback(runner.cleanup)
        await runner.setup()
        self._url = await listen(runner, self._config, state.last_port(), tls_context(self._config.tls))
        state.remember_port(int(self._url.rpartition(":")[2]))

    async def _open_state(self, stack: contextlib.AsyncExitStack) -> State:
        await stack.enter_async_context(locked(self._in_state()))
        state = State(self._in_state())
        stack.callback(state.counters.close)
        return state

    def _new_context(self, state: State) -> Context:
        config = self._config
        return Context(
            clock=self._clock,
            key=state.key,
            counters=state.counters,
            faults=FaultPlan(config.faults, config.seed),
            token=config.token,
            api_key=config.api_key,
            url_ttl=config.url_ttl,
        )

    def _in_state(self, *parts: str) -> str:
        return os.path.join(self._config.store, "state", *parts)


def application(context: Context, objects: ObjectStore) -> web.Application:
    """Return the routes: the APIs, the figures, and the store for everything else."""
    store = Store(context, objects)
    app = web.Application(client_max_size=LARGEST_BODY)
    magic = ListApi(context, "items", magic_hour.read, magic_hour.ticket)
    local = ListApi(context, "tickets", local_api.read, local_api.ticket)
    app.router.add_post(magic_hour.PATH, magic.handle)
    app.router.add_post(local_api.PATH, local.handle)
    app.router.add_post(move_ugc.PATH, MoveApi(context).handle)

    async def stats(_request: web.Request) -> web.Response:
        return answer(context.counters.read())

    app.router.add_get(STATS_PATH, stats)
    for prefix in _RESERVED:
        app.router.add_route("*", prefix + "/{rest:.*}", not_found)
    app.router.add_route("*", "/{key:.*}", store.handle, expect_handler=_expect_later)
    return app


def _no_malformed_request(record: logging.LogRecord) -> bool:
    """Keep requests that are no HTTP out of the log: the report quotes them, and so the signature in a URL."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


_http_log.addFilter(_no_malformed_request)


async def _expect_later(request: web.Request) -> None:
    """Leave `Expect: 100-continue` to the store, which first looks whether it wants the body."""


def tls_context(files: tuple[str, str] | None) -> ssl.SSLContext | None:
    """Return the context for a certificate and its key, None without them. Raises UsageError."""
    if files is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(*files)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(f"the certificate {files[0]} and key {files[1]} cannot be used: {error}") from error
    return context
