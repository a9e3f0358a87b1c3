"""One exchange of the lean sender: find the origin, take a connection, send the request, return the answer.

A request is repeated once on a new connection when an idle connection turned out to be closed.
"""

from __future__ import annotations

from time import monotonic
from types import TracebackType
from typing import Self

from bulkup.helpers.secrets import SecretUrl
from bulkup.model.bodies import Body
from bulkup.model.http import Headers, StorageAnswer
from bulkup.transport.destination.guarded_resolver import GuardedResolver
from bulkup.transport.destination.resolver import Resolver
from bulkup.transport.failures import FailureKind, exchange_problem
from bulkup.transport.lean.body_stream import BodyProgress, send_body
from bulkup.transport.lean.connection import Connection
from bulkup.transport.lean.connection_pool import ConnectionPool
from bulkup.transport.lean.connector import Connector
from bulkup.transport.lean.exchange_error import ExchangeError
from bulkup.transport.lean.origin import Origin, origin_of, target_of
from bulkup.transport.proxies import Proxies
from bulkup.transport.sender import OnBytes
from bulkup.transport.tls import TlsVerification
from bulkup.transport.transport_options import TransportOptions

# A body of at least this size is announced with `Expect: 100-continue`. It is sent after the 100 or the timeout
# (RFC 9110 10.1.1).
CONTINUE_SIZE = 1024**2  # bytes
CONTINUE_TIMEOUT = 1.0  # seconds
_EXPECTATION_FAILED = 417
_MAX_ORIGINS = 1000
_AT_ONCE = 128 * 1024  # a body up to this size is written with the head, in one call
_REPEATABLE = frozenset({"PUT"})  # idempotent (RFC 9110 9.2.2); a POST that is sent twice may store two objects


class LeanSender:
    """A `Sender` over connections of its own, without an HTTP client library."""

    def __init__(
        self,
        options: TransportOptions,
        tls: TlsVerification,
        proxies: Proxies,
        guard: GuardedResolver,
        resolver: Resolver,
    ) -> None:
        self._timeout = options.progress_timeout
        self._sendfile_step = options.sendfile_step
        self._proxies = proxies
        self._guard = guard
        self._pool = ConnectionPool(options.idle_timeout, options.connections + options.idle_connections)
        self._connector = Connector(self._pool, tls, options.connect_timeout, guard, resolver)
        self._origins: dict[str, Origin] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._pool.close()

    @property
    def round_trip(self) -> float | None:
        """Return the shortest time in which a direct connection was opened; see `Sender`."""
        return self._connector.round_trip

    async def exchange(
        self,
        method: str,
        url: SecretUrl,
        headers: Headers,
        body: Body,
        on_bytes: OnBytes,
        *,
        new_connection: bool = False,
    ) -> StorageAnswer:
        """Send a request and return its answer; see `Sender`."""
        try:
            text = url.reveal()
            # Fast path: an origin that is known already is found by the text before the path.
            cut = text.find("/", 8)
            origin = self._origins.get(text[:cut]) if cut > 0 else None
            if origin is None:
                origin = await self._origin_for(url)
                cut = len(origin.name)
            target = text[cut:]
            if "#" in target or target[:1] != "/":
                target = target_of(target)
            data = body.data
            if data is None:
                return await self._stream(origin, method, target, headers, body, on_bytes, fresh=new_connection)
            head = origin.head(method, target, headers, len(data))
            return await self._send(origin, method in _REPEATABLE, head, data, on_bytes, fresh=new_connection)
        except ExchangeError as error:
            kind, cause = error.kind, error.cause
        except OSError as error:
            kind, cause = FailureKind.CONNECTION_LOST, error
        except ValueError:
            kind, cause = FailureKind.INVALID_REQUEST, None
        # Outside the handlers, so that an error that may hold the request is not the context of ours.
        raise body.failure or exchange_problem(kind, cause, url, self._timeout.idle_timeout)

    async def _send(
        self, origin: Origin, repeatable: bool, head: bytes, data: bytes | bytearray, on_bytes: OnBytes, *, fresh: bool
    ) -> StorageAnswer:
        """Send a body that is in memory; `fresh` asks for a new connection."""
        now = monotonic()
        connection = None if fresh else origin.idle.take(now)
        if connection is None:
            connection = await self._connector.connect(origin)
            repeatable, now = False, monotonic()
        reported = False
        while True:
            size = len(data)
            at_once = data if size <= _AT_ONCE else b""
            future = connection.send(head, now + self._timeout.after(size), at_once)
            try:
                if size > _AT_ONCE:
                    connection.write(data)
                if not reported:
                    on_bytes(size)
                    reported = True
                return await future
            except ExchangeError as error:
                if not (error.stale and repeatable):
                    raise
            except BaseException:
                connection.cancel_exchange(future)
                raise
            connection = await self._connector.connect(origin)
            repeatable, now = False, monotonic()

    async def _stream(
        self,
        origin: Origin,
        method: str,
        target: str,
        headers: Headers,
        body: Body,
        on_bytes: OnBytes,
        *,
        fresh: bool,
    ) -> StorageAnswer:
        """Send a body in pieces; `fresh` asks for a new connection."""
        progress = BodyProgress(on_bytes)
        repeatable = method in _REPEATABLE
        while True:
            expect_continue = body.size >= CONTINUE_SIZE and origin.supports_continue
            head = origin.head(method, target, headers, body.size, expect_continue=expect_continue)
            idle = None if fresh else origin.idle.take(monotonic())
            connection = idle or await self._connector.connect(origin)
            try:
                answer = await self._stream_once(
                    connection, origin, head, body, progress, expect_continue=expect_continue
                )
            except ExchangeError as error:
                if not (error.stale and repeatable and idle):
                    raise
            else:
                if not (expect_continue and answer.status == _EXPECTATION_FAILED):
                    return answer
                origin.supports_continue = False
            fresh = True

    async def _stream_once(
        self,
        connection: Connection,
        origin: Origin,
        head: bytes,
        body: Body,
        progress: BodyProgress,
        *,
        expect_continue: bool,
    ) -> StorageAnswer:
        connection.sending_body = True
        future = connection.send(head, monotonic() + self._timeout.after(0))
        try:
            if expect_continue:
                seconds = min(CONTINUE_TIMEOUT, self._timeout.idle_timeout / 2)
                if not await connection.wait_for_continue(seconds):
                    origin.supports_continue = False
            if not connection.answered:
                await send_body(connection, body, progress, self._timeout, self._sendfile_step)
            return await future
        except BaseException:
            connection.cancel_exchange(future)
            raise

    async def _origin_for(self, url: SecretUrl) -> Origin:
        """Return the origin of a URL. Raises ValueError, and `ProblemError` for a host that the rules refuse."""
        known = self._origins.get(url.origin)
        if known is not None:
            return known
        origin = origin_of(url, self._proxies.for_url(url.reveal()))
        await self._guard.check_url(url)
        if len(self._origins) >= _MAX_ORIGINS:
            self._origins.clear()  # exchanges under way keep their origin
        return self._origins.setdefault(origin.name, origin)
