"""New connections: names looked up, the quickest address taken, proxies and TLS gone through."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import os
import socket
import ssl
from collections.abc import Iterator
from time import monotonic

import aiohappyeyeballs
from aiohappyeyeballs.types import AddrInfoType
from yarl import URL

from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.transport.destination.resolver import Resolver
from bulkup.transport.failures import FailureKind
from bulkup.transport.lean.connection import Connection
from bulkup.transport.lean.connection_pool import ConnectionPool
from bulkup.transport.lean.exchange_error import ExchangeError
from bulkup.transport.lean.origin import Origin, proxy_authorization
from bulkup.transport.tls import TlsVerification

_HEAD_START = 0.25  # seconds that one address has before the next is tried as well (RFC 8305 5)
_NAMES_KEPT = 10.0  # seconds
_CREATED = range(200, 300)


class Names:
    """Looks names up: each once at a time for all who ask, and again after some seconds."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._known: dict[tuple[str, int], tuple[float, list[AddrInfoType]]] = {}
        self._asked: dict[tuple[str, int], asyncio.Future[list[AddrInfoType]]] = {}

    async def addresses(self, host: str, port: int) -> list[AddrInfoType]:
        """Return where a host is. Raises OSError, and what the resolver refuses with."""
        where = host, port
        while True:
            expires, found = self._known.get(where, (0.0, []))
            if monotonic() < expires:
                return found
            asked = self._asked.get(where)
            if asked is None:
                return await self._look_up(where)
            await asyncio.wait([asked])  # unlike `await asked` this leaves it alone when it is cancelled
            if not asked.cancelled():
                return asked.result()

    async def _look_up(self, where: tuple[str, int]) -> list[AddrInfoType]:
        self._asked[where] = asked = asyncio.get_running_loop().create_future()
        try:
            found = [_address(address, where[1]) for address in await self._resolver.addresses(where[0])]
        except Exception as error:
            asked.set_exception(error)
            asked.exception()  # looked at, should nobody else have asked
            raise
        else:
            asked.set_result(found)
            self._known[where] = monotonic() + _NAMES_KEPT, found
            return found
        finally:
            del self._asked[where]
            asked.cancel()  # where this was: the next who asks looks it up


class Connector:
    """Makes connections for a pool. Names of origins are looked up by `guarded`, those of proxies by `resolver`."""

    def __init__(
        self,
        pool: ConnectionPool,
        tls: TlsVerification,
        connect_timeout: float,
        guarded: Resolver,
        resolver: Resolver,
    ) -> None:
        self._pool = pool
        self._tls = tls
        self._connect_timeout = connect_timeout
        self._names = Names(guarded)
        self._names_of_proxies = Names(resolver)

    async def connect(self, origin: Origin) -> Connection:
        """Return a connection over which requests can go. Raises `ExchangeError`, and `ProblemError` of the guard."""
        try:
            async with asyncio.timeout(self._connect_timeout):
                return await (self._direct(origin) if origin.proxy is None else self._by_proxy(origin, origin.proxy))
        except TimeoutError:
            error = OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
        raise ExchangeError(FailureKind.NOT_CONNECTED, error)

    async def _direct(self, origin: Origin) -> Connection:
        try:
            addresses = await _found(self._names, origin.host, origin.port)
        except OSError as error:
            raise ExchangeError(FailureKind.NO_NAME, error) from None
        try:
            connection = await self._reach(origin, addresses)
        except OSError as error:
            raise ExchangeError(FailureKind.NOT_CONNECTED, error) from None
        if origin.scheme == "https":
            await self._secure(connection, origin)
        return connection

    async def _by_proxy(self, origin: Origin, proxy: URL) -> Connection:
        if proxy.scheme not in ("http", "https") or not proxy.host or not proxy.port:
            what = f"the proxy for {origin.name} is neither http nor https, and no other kind can be used"
            raise ProblemError(Problem(ProblemKind.UNUSABLE, what))
        try:
            addresses = await _found(self._names_of_proxies, proxy.host, proxy.port)
            connection = await self._reach(origin, addresses)
        except OSError as error:
            raise ExchangeError(FailureKind.NO_PROXY, error) from None
        with _aborted(connection):
            try:
                if proxy.scheme == "https":
                    await connection.secure(self._tls.context, proxy.host)
                if origin.scheme == "https":
                    await _tunnel(connection, origin, proxy)
            except (OSError, ExchangeError) as error:
                raise ExchangeError(FailureKind.NO_PROXY, getattr(error, "cause", error)) from None
        if origin.scheme == "https":
            await self._secure(connection, origin)
        return connection

    async def _reach(self, origin: Origin, addresses: list[AddrInfoType]) -> Connection:
        loop = asyncio.get_running_loop()
        sock = await aiohappyeyeballs.start_connection(addresses, happy_eyeballs_delay=_HEAD_START)
        connection = Connection(loop, self._pool, origin.shelf)
        try:
            await loop.create_connection(lambda: connection, sock=sock)
        except BaseException:
            # The loop closes it, and uvloop's tells nobody.
            self._pool.forget(connection)
            raise
        return connection

    async def _secure(self, connection: Connection, origin: Origin) -> None:
        with _aborted(connection):
            try:
                await connection.secure(self._tls.context, origin.host.rstrip("."), origin.shelf.session)
            except ssl.SSLError as error:
                raise ExchangeError(FailureKind.NOT_TRUSTED, error) from None
            except OSError as error:
                raise ExchangeError(FailureKind.NOT_CONNECTED, error) from None


async def _found(names: Names, host: str, port: int) -> list[AddrInfoType]:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return await names.addresses(host, port)
    return [_address(host, port)]


async def _tunnel(connection: Connection, origin: Origin, proxy: URL) -> None:
    """Have the proxy open a way to the origin (RFC 9110 9.3.6)."""
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    where = f"{host}:{origin.port}"
    lines = f"CONNECT {where} HTTP/1.1\r\nHost: {where}\r\n{proxy_authorization(proxy)}\r\n"
    status = await connection.tunnel(lines.encode())
    if status not in _CREATED:
        raise OSError(0, f"it answered {status}")


def _address(host: str, port: int) -> AddrInfoType:
    if ":" in host:
        return socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port, 0, 0)
    return socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port)


@contextlib.contextmanager
def _aborted(connection: Connection) -> Iterator[None]:
    """End a connection whose making fails or is cancelled."""
    try:
        yield
    except BaseException:
        connection.abort()
        raise
