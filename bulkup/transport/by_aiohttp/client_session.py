"""Sessions of the aiohttp client: without cookies and without credentials of their own."""

from __future__ import annotations

import socket
import ssl

import aiohttp
from aiohttp import hdrs
from aiohttp.abc import AbstractResolver, ResolveResult

from bulkup._version import __version__
from bulkup.transport.destination.resolver import Resolver
from bulkup.transport.sender import EXPIRY

# By default the client adds application/octet-stream, and a version 2 signature covers the type (docs/contracts.md
# section 2).
NOT_BY_ITSELF = frozenset({hdrs.CONTENT_TYPE})
_NUMERIC = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV


def open_session(tls: ssl.SSLContext | bool, limit: int = 0, resolver: Resolver | None = None) -> aiohttp.ClientSession:
    """Return a session with so many connections at the most, 0 for any number. Every request brings its own timeout."""
    names = None if resolver is None else ClientResolver(resolver)
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=limit, ssl=tls, keepalive_timeout=EXPIRY, resolver=names),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={hdrs.USER_AGENT: f"bulkup/{__version__}"},
        trust_env=False,  # it would also send what ~/.netrc holds; proxies are looked up in `connection`
        auto_decompress=True,
    )


class ClientResolver(AbstractResolver):
    """A `Resolver` as the client wants one."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of a name, those of one family where one is asked for."""
        found = await self._resolver.addresses(host)
        both = [(address, socket.AF_INET6 if ":" in address else socket.AF_INET) for address in found]
        return [
            ResolveResult(hostname=host, host=address, port=port, family=its, proto=socket.IPPROTO_TCP, flags=_NUMERIC)
            for address, its in both
            if family in (its, socket.AF_UNSPEC)
        ]

    async def close(self) -> None:
        """Nothing is open."""
