"""Sessions of the aiohttp client: without cookies and without credentials of their own."""

from __future__ import annotations

import ssl

import aiohttp
from aiohttp import hdrs
from aiohttp.abc import AbstractResolver

from bulkup._version import __version__
from bulkup.transport.sender import EXPIRY

# Left to itself the client adds application/octet-stream, and a version 2 signature covers the type (contracts.md 2).
NOT_BY_ITSELF = frozenset({hdrs.CONTENT_TYPE})


def open_session(
    tls: ssl.SSLContext | bool, limit: int = 0, resolver: AbstractResolver | None = None
) -> aiohttp.ClientSession:
    """Return a session with so many connections at the most, 0 for any number. Every request brings its own timeout."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=limit, ssl=tls, keepalive_timeout=EXPIRY, resolver=resolver),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={hdrs.USER_AGENT: f"bulkup/{__version__}"},
        trust_env=False,  # it would also send what ~/.netrc holds; proxies are looked up in `connection`
        auto_decompress=True,
    )
