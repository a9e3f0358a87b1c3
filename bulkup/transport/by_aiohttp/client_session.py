"""Sessions of the aiohttp client, without cookies and without credentials of their own."""

from __future__ import annotations

import socket
from typing import Any

import aiohttp
from aiohttp import hdrs
from aiohttp.abc import AbstractResolver, ResolveResult

from bulkup._version import __version__
from bulkup.transport.by_aiohttp.bounded_connector import BoundedConnector
from bulkup.transport.destination.resolver import Resolver
from bulkup.transport.failures import HEADER_LIMIT
from bulkup.transport.sender import KEEP_ALIVE

# aiohttp would add `Content-Type: application/octet-stream`, but a version 2 signature covers the type
# (docs/contracts.md section 2).
SKIPPED_AUTO_HEADERS = frozenset({hdrs.CONTENT_TYPE})
_NUMERIC = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV


def open_session(
    resolver: Resolver | None = None, *, limit: int = 0, idle: int, reuse: bool = True
) -> aiohttp.ClientSession:
    """Return a session with at most `limit` connections in use, 0 for no limit.

    Each request sets its own timeout, and its own verification of certificates (`TlsVerification.for_aiohttp`). Up
    to `idle` more connections stay open. Without `reuse` each request has a new connection.
    """
    names = None if resolver is None else ClientResolver(resolver)
    kept: dict[str, Any] = {"keepalive_timeout": KEEP_ALIVE} if reuse else {"force_close": True}
    return aiohttp.ClientSession(
        connector=BoundedConnector(limit + idle, limit=limit, resolver=names, **kept),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={hdrs.USER_AGENT: f"bulkup/{__version__}", hdrs.ACCEPT_ENCODING: "identity"},
        trust_env=False,  # it would also send the credentials of ~/.netrc; `Proxies` reads the environment
        auto_decompress=False,  # aiohttp would decode a block as a whole, however large
        max_line_size=HEADER_LIMIT,
        max_field_size=HEADER_LIMIT,  # tokens of identity services exceed aiohttp's 8 KiB
    )


class ClientResolver(AbstractResolver):
    """A `Resolver` with the interface that aiohttp expects."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of a name, restricted to `family` if it is given."""
        found = await self._resolver.addresses(host)
        addresses = [(address, socket.AF_INET6 if ":" in address else socket.AF_INET) for address in found]
        return [
            ResolveResult(hostname=host, host=address, port=port, family=its, proto=socket.IPPROTO_TCP, flags=_NUMERIC)
            for address, its in addresses
            if family in (its, socket.AF_UNSPEC)
        ]

    async def close(self) -> None:
        """Do nothing: the resolver holds no resources."""
