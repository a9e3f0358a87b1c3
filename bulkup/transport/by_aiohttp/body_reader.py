"""Reads bodies of any size from storage, piece by piece, under the rules for storage hosts."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Self

import aiohttp
from yarl import URL

from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.model.tickets import Download
from bulkup.transport import headers as http_headers
from bulkup.transport.by_aiohttp.aiohttp_errors import http_problem
from bulkup.transport.by_aiohttp.client_session import SKIPPED_AUTO_HEADERS, open_session
from bulkup.transport.destination.guarded_resolver import GuardedResolver
from bulkup.transport.destination.resolver import SystemResolver
from bulkup.transport.proxies import Proxies
from bulkup.transport.tls import TlsVerification
from bulkup.transport.transport_options import TransportOptions

_CHUNK = 256 * 1024
_IDLE = 16  # connections
_MISSING = frozenset({404, 410})


class BodyReader:
    """Owns its sessions between `__aenter__` and `__aexit__`: one for direct connections, one for those over a proxy.

    Raises `UsageError` when the CA file cannot be used.
    """

    def __init__(self, options: TransportOptions) -> None:
        self._options = options
        self._tls = TlsVerification(options.ca_file)
        self._proxies = Proxies()
        self._guard = GuardedResolver(options.hosts, SystemResolver())
        self._timeout = aiohttp.ClientTimeout(connect=options.connect_timeout, sock_read=options.idle_timeout)
        self._sessions: dict[bool, aiohttp.ClientSession] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for session in self._sessions.values():
            await session.close()

    async def read(self, download: Download, feed: Callable[[bytes], None]) -> bool:
        """Pass the body to `feed` piece by piece, and return whether there is one: False if storage has no such object.

        A redirect is not followed. Raises `ProblemError`.
        """
        failure: BaseException
        try:
            await self._guard.check_url(download.url)
            return await self._read(download, feed)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            failure = error
        # Outside the handler, so that aiohttp's error, whose text may hold a URL, is not the context of ours.
        proxy = self._proxies.for_message(download.url.reveal())
        raise http_problem(failure, download.url, self._options.idle_timeout, proxy=proxy)

    async def _read(self, download: Download, feed: Callable[[bytes], None]) -> bool:
        url = download.url.reveal()
        proxy = self._proxies.for_url(url)
        async with self._session(proxied=proxy is not None).get(
            URL(url, encoded=True),
            headers=http_headers.reveal(download.headers),
            skip_auto_headers=SKIPPED_AUTO_HEADERS,
            allow_redirects=False,
            timeout=self._timeout,
            proxy=proxy,
            ssl=self._tls.for_aiohttp(url, proxy),
        ) as response:
            if response.status in _MISSING:
                return False
            if response.status != 200:
                raise ProblemError(_problem_of(response.status))
            async for chunk in response.content.iter_chunked(_CHUNK):
                feed(chunk)
        return True

    def _session(self, *, proxied: bool) -> aiohttp.ClientSession:
        session = self._sessions.get(proxied)
        if session is None:
            # A proxy looks up storage's names itself, and may have a private address, so its session has no guard.
            session = open_session(None if proxied else self._guard, limit=self._options.connections, idle=_IDLE)
            self._sessions[proxied] = session
        return session


def _problem_of(status: int) -> Problem:
    """Return the problem in an answer that is no body. Its own text may quote the request, and is left out."""
    kinds = {408: ProblemKind.TRANSIENT, 425: ProblemKind.TRANSIENT, 429: ProblemKind.THROTTLED}
    kind = kinds.get(status, ProblemKind.THROTTLED if status == 503 else ProblemKind.FAILED)
    kind = ProblemKind.TRANSIENT if status >= 500 and kind is ProblemKind.FAILED else kind
    return Problem(kind, f"storage answered {status} when the upload was read back")
