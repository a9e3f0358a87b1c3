"""Opens connections: looks names up, tries addresses in parallel, opens proxy tunnels and starts TLS."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import os
import ssl
from collections.abc import Iterator
from time import monotonic

import aiohappyeyeballs
from aiohappyeyeballs.types import AddrInfoType
from yarl import URL

from bulkup.transport.destination.resolver import Resolver
from bulkup.transport.failures import FailureKind
from bulkup.transport.lean.connection import Connection
from bulkup.transport.lean.connection_pool import ConnectionPool
from bulkup.transport.lean.exchange_error import ExchangeError
from bulkup.transport.lean.name_cache import NameCache, socket_address
from bulkup.transport.lean.origin import Origin, proxy_authorization
from bulkup.transport.proxies import PROXY_AUTHENTICATION_REQUIRED
from bulkup.transport.tls import TlsVerification

_HAPPY_EYEBALLS_DELAY = 0.25  # seconds before the next address is tried as well (RFC 8305 5)
_SUCCESS = range(200, 300)


class Connector:
    """Opens connections for a pool. `guarded` looks up the names of origins, `resolver` those of proxies."""

    def __init__(
        self,
        pool: ConnectionPool,
        tls: TlsVerification,
        connect_timeout: float,
        guarded: Resolver,
        resolver: Resolver,
    ) -> None:
        self.round_trip: float | None = None  # the shortest time in which a direct connection was opened, in seconds
        self._pool = pool
        self._tls = tls
        self._connect_timeout = connect_timeout
        self._origin_names = NameCache(guarded)
        self._proxy_names = NameCache(resolver)

    async def connect(self, origin: Origin) -> Connection:
        """Return a connection that is ready for requests.

        Raises `ExchangeError`, and `ProblemError` for an address that the host rules refuse.
        """
        try:
            async with asyncio.timeout(self._connect_timeout):
                if origin.proxy is None:
                    return await self._connect_directly(origin)
                return await self._connect_by_proxy(origin, origin.proxy)
        except TimeoutError:
            error = OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
        raise ExchangeError(FailureKind.CONNECT_FAILED, error)

    async def _connect_directly(self, origin: Origin) -> Connection:
        try:
            addresses = await _addresses(self._origin_names, origin.host, origin.port)
        except OSError as error:
            raise ExchangeError(FailureKind.NAME_NOT_FOUND, error) from None
        try:
            begun = monotonic()
            connection = await self._open(origin, addresses)
            took = monotonic() - begun
        except OSError as error:
            raise ExchangeError(FailureKind.CONNECT_FAILED, error) from None
        self.round_trip = took if self.round_trip is None else min(took, self.round_trip)
        if origin.scheme == "https":
            await self._start_tls(connection, origin)
        return connection

    async def _connect_by_proxy(self, origin: Origin, proxy: URL) -> Connection:
        assert proxy.host
        assert proxy.port
        try:
            addresses = await _addresses(self._proxy_names, proxy.host, proxy.port)
            connection = await self._open(origin, addresses)
        except OSError as error:
            raise ExchangeError(FailureKind.PROXY_FAILED, error) from None
        with _abort_on_error(connection):
            try:
                if proxy.scheme == "https":
                    await connection.start_tls(self._tls.context, proxy.host)
                if origin.scheme == "https":
                    await _open_tunnel(connection, origin, proxy)
            except (OSError, ExchangeError) as error:
                if getattr(error, "kind", None) is FailureKind.PROXY_AUTHENTICATION:
                    raise
                raise ExchangeError(FailureKind.PROXY_FAILED, getattr(error, "cause", error)) from None
        if origin.scheme == "https":
            await self._start_tls(connection, origin)
        return connection

    async def _open(self, origin: Origin, addresses: list[AddrInfoType]) -> Connection:
        loop = asyncio.get_running_loop()
        with self._pool.room_for_another():
            sock = await aiohappyeyeballs.start_connection(addresses, happy_eyeballs_delay=_HAPPY_EYEBALLS_DELAY)
            connection = Connection(loop, self._pool, origin.idle)
            try:
                await loop.create_connection(lambda: connection, sock=sock)
            except BaseException:
                # The loop closes the socket, and uvloop does so without calling `connection_lost`.
                self._pool.discard(connection)
                raise
            return connection

    async def _start_tls(self, connection: Connection, origin: Origin) -> None:
        with _abort_on_error(connection):
            try:
                await connection.start_tls(self._tls.context, origin.host.rstrip("."), origin.idle.session)
            except ssl.SSLError as error:
                raise ExchangeError(FailureKind.TLS_FAILED, error) from None
            except OSError as error:
                raise ExchangeError(FailureKind.CONNECT_FAILED, error) from None


async def _addresses(names: NameCache, host: str, port: int) -> list[AddrInfoType]:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return await names.addresses(host, port)
    return [socket_address(host, port)]


async def _open_tunnel(connection: Connection, origin: Origin, proxy: URL) -> None:
    """Ask the proxy for a tunnel to the origin (RFC 9110 9.3.6).

    Raises OSError when it refuses, and `ExchangeError` when it asks for a password.
    """
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    authority = f"{host}:{origin.port}"
    lines = f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n{proxy_authorization(proxy)}\r\n"
    status = await connection.open_tunnel(lines.encode())
    if status == PROXY_AUTHENTICATION_REQUIRED:
        raise ExchangeError(FailureKind.PROXY_AUTHENTICATION)
    if status not in _SUCCESS:
        raise OSError(0, f"it answered {status}")


@contextlib.contextmanager
def _abort_on_error(connection: Connection) -> Iterator[None]:
    """Close the connection when its setup fails or is cancelled."""
    try:
        yield
    except BaseException:
        connection.abort()
        raise
