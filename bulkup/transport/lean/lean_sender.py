"""The way of one request: its origin, a connection, the answer; and once more where a kept connection was dead."""

from __future__ import annotations

import asyncio
from time import monotonic
from types import TracebackType
from typing import Self

from bulkup.helpers.secrets import SecretUrl
from bulkup.model.bodies import Body
from bulkup.model.http import StorageAnswer
from bulkup.transport.destination.guarded_resolver import GuardedResolver
from bulkup.transport.destination.resolver import Resolver
from bulkup.transport.failures import FailureKind, exchange_problem
from bulkup.transport.lean.body_stream import Progress, send_body
from bulkup.transport.lean.connection import Connection
from bulkup.transport.lean.connection_pool import ConnectionPool
from bulkup.transport.lean.connector import Connector
from bulkup.transport.lean.exchange_error import ExchangeError
from bulkup.transport.lean.origin import Origin, origin_of, target_of
from bulkup.transport.progress_timeout import progress_timeout
from bulkup.transport.proxies import Proxies
from bulkup.transport.sender import Headers, OnBytes
from bulkup.transport.tls import TlsVerification
from bulkup.transport.transport_options import TransportOptions

# So large a body is announced, and goes when it is told to or after so many seconds (RFC 9110 10.1.1).
ANNOUNCED = 1024**2
PERMISSION_WAIT = 1.0
_EXPECTATION_FAILED = 417
_ORIGINS = 1000
_TOGETHER = 128 * 1024  # what is copied to be written in one piece with the head
_REPEATABLE = frozenset({"PUT"})  # RFC 9110 9.2.2; what comes of a POST sent twice is not known


class LeanSender:
    """A `Sender` of our own."""

    def __init__(
        self,
        options: TransportOptions,
        tls: TlsVerification,
        proxies: Proxies,
        guard: GuardedResolver,
        resolver: Resolver,
    ) -> None:
        self._idle_timeout = options.idle_timeout
        self._proxies = proxies
        self._guard = guard
        self._pool = ConnectionPool(options.idle_timeout)
        self._connector = Connector(self._pool, tls, options.connect_timeout, guard, resolver)
        self._origins: dict[str, Origin] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._pool.close()

    async def exchange(
        self, method: str, url: SecretUrl, headers: Headers, body: Body, on_bytes: OnBytes
    ) -> StorageAnswer:
        """Send a body and return what was answered; see `Sender`."""
        try:
            text = url.reveal()
            # All but the first to an origin find it by what stands before the path.
            cut = text.find("/", 8)
            origin = self._origins.get(text[:cut]) if cut > 0 else None
            if origin is None:
                origin = await self._meet(url)
                cut = len(origin.name)
            target = text[cut:]
            if "#" in target or target[:1] != "/":
                target = target_of(target)
            data = body.data
            if data is None:
                return await self._stream(origin, method, target, headers, body, on_bytes)
            head = origin.head(method, target, headers, len(data))
            return await self._send(origin, method in _REPEATABLE, head, data, on_bytes)
        except ExchangeError as error:
            trouble, cause = error.trouble, error.cause
        except OSError as error:
            trouble, cause = FailureKind.BROKEN, error
        except ValueError:
            trouble, cause = FailureKind.INVALID, None
        # Outside the handlers, so that no error that knows the request is even the context of ours.
        raise body.failure or exchange_problem(trouble, cause, url, self._idle_timeout)

    async def _send(
        self, origin: Origin, repeatable: bool, head: bytes, data: bytes, on_bytes: OnBytes
    ) -> StorageAnswer:
        """Send what is in memory."""
        now = monotonic()
        connection = origin.shelf.take(now)
        if connection is None:
            connection = await self._connector.connect(origin)
            repeatable, now = False, monotonic()
        told = False
        while True:
            size = len(data)
            waiter = connection.send(
                head + data if size <= _TOGETHER else head, now + progress_timeout(self._idle_timeout, size)
            )
            try:
                if size > _TOGETHER:
                    connection.write(data)
                if not told:
                    on_bytes(size)
                    told = True
                return await waiter
            except ExchangeError as error:
                if not (error.stale and repeatable):
                    raise
            except BaseException:
                connection.abandon(waiter)
                raise
            connection = await self._connector.connect(origin)
            repeatable, now = False, monotonic()

    async def _stream(
        self, origin: Origin, method: str, target: str, headers: Headers, body: Body, on_bytes: OnBytes
    ) -> StorageAnswer:
        """Send what is to be asked for in pieces."""
        progress = Progress(on_bytes)
        repeatable = method in _REPEATABLE
        fresh = False
        while True:
            asking = body.size >= ANNOUNCED and origin.permits
            head = origin.head(method, target, headers, body.size, asking=asking)
            kept = None if fresh else origin.shelf.take(monotonic())
            connection = kept or await self._connector.connect(origin)
            try:
                answer = await self._one_stream(connection, origin, head, body, progress, asking=asking)
            except ExchangeError as error:
                if not (error.stale and repeatable and kept):
                    raise
            else:
                if not (asking and answer.status == _EXPECTATION_FAILED):
                    return answer
                origin.permits = False
            fresh = True

    async def _one_stream(
        self, connection: Connection, origin: Origin, head: bytes, body: Body, progress: Progress, *, asking: bool
    ) -> StorageAnswer:
        connection.sending = True
        waiter: asyncio.Future[StorageAnswer] = connection.send(
            head, monotonic() + progress_timeout(self._idle_timeout, 0)
        )
        try:
            if asking and not await connection.permission(min(PERMISSION_WAIT, self._idle_timeout / 2)):
                origin.permits = False
            if not connection.answered:
                await send_body(connection, body, progress, self._idle_timeout)
            return await waiter
        except BaseException:
            connection.abandon(waiter)
            raise

    async def _meet(self, url: SecretUrl) -> Origin:
        """Return the origin of a URL that the guard lets pass. Raises ValueError, and `ProblemError` of the guard."""
        known = self._origins.get(url.origin)
        if known is not None:
            return known
        origin = origin_of(url, self._proxies.for_url(url.reveal()))
        await self._guard.check_url(url)
        if len(self._origins) >= _ORIGINS:
            self._origins.clear()  # what is in use goes on; only the order of things is forgotten
        return self._origins.setdefault(origin.name, origin)
