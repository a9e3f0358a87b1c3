"""Bytes to storage by the aiohttp client."""

from __future__ import annotations

from types import TracebackType
from typing import Self

import aiohttp
import anyio
from yarl import URL

from bulkup.helpers.secrets import SecretUrl
from bulkup.model.bodies import Body
from bulkup.model.http import StorageAnswer
from bulkup.transport import headers as http_headers
from bulkup.transport.by_aiohttp.aiohttp_errors import http_problem
from bulkup.transport.by_aiohttp.client_session import NOT_BY_ITSELF, open_session
from bulkup.transport.by_aiohttp.payload import BodyPayload
from bulkup.transport.destination.guarded_resolver import GuardedResolver
from bulkup.transport.progress_timeout import progress_timeout
from bulkup.transport.proxies import Proxies
from bulkup.transport.sender import ANSWER_LIMIT, Headers, OnBytes
from bulkup.transport.tls import TlsVerification
from bulkup.transport.transport_options import TransportOptions

_FITS_BUFFERS = 32 * 1024


class AiohttpSender:
    """A `Sender` over two sessions, of which one is for what goes by a proxy."""

    def __init__(
        self, options: TransportOptions, tls: TlsVerification, proxies: Proxies, guard: GuardedResolver
    ) -> None:
        self._options = options
        self._tls = tls.for_aiohttp
        self._proxies = proxies
        self._guard = guard
        # The client's own idle timeout begins once the body is written. A small body fits into the buffers on the way,
        # so that is all it needs; a large one may get stuck before, and has its progress watched as well.
        # That timeout begins anew with each byte of an answer, so there is one for the whole of it, too.
        self._short = aiohttp.ClientTimeout(
            total=options.connect_timeout + 2 * options.idle_timeout,
            connect=options.connect_timeout,
            sock_read=options.idle_timeout,
        )
        self._long = aiohttp.ClientTimeout(connect=options.connect_timeout)
        self._direct: aiohttp.ClientSession
        self._proxied: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        self._direct = open_session(self._tls, self._options.connections, self._guard)
        # The proxy looks up storage's names, and its own may well be one of the inside.
        self._proxied = open_session(self._tls, self._options.connections)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._direct.close()
        await self._proxied.close()

    async def exchange(
        self, method: str, url: SecretUrl, headers: Headers, body: Body, on_bytes: OnBytes
    ) -> StorageAnswer:
        """Send a body and return what was answered; see `Sender`."""
        failure: BaseException
        idle = self._options.idle_timeout
        try:
            await self._guard.check_url(url)
            if body.size <= _FITS_BUFFERS:
                return await self._request(method, url, headers, BodyPayload(body, on_bytes), self._short)
            with anyio.fail_after(idle + self._options.connect_timeout) as scope:
                sent = 0

                def progressed(count: int) -> None:
                    nonlocal sent
                    sent += count
                    scope.deadline = anyio.current_time() + progress_timeout(idle, sent)
                    on_bytes(count)

                return await self._request(method, url, headers, BodyPayload(body, progressed), self._long)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            failure = error
        # Outside the handler, so that the client's error, whose text may hold a URL, is not even the context of ours.
        raise body.failure or http_problem(failure, url, idle)

    async def _request(
        self, method: str, url: SecretUrl, headers: Headers, payload: BodyPayload, timeout: aiohttp.ClientTimeout
    ) -> StorageAnswer:
        proxy = self._proxies.for_url(url.reveal())
        session = self._direct if proxy is None else self._proxied
        try:
            async with session.request(
                http_headers.method(method),
                URL(url.reveal(), encoded=True),
                data=payload,
                # An empty file has no body to take a length from, and a PUT without one is a 411.
                headers=http_headers.with_length(headers, payload.size or 0),
                skip_auto_headers=NOT_BY_ITSELF,
                allow_redirects=False,
                timeout=timeout,
                proxy=proxy,
            ) as response:
                text = await _read_up_to(ANSWER_LIMIT, response.content)
                return StorageAnswer(response.status, http_headers.lowered(response.headers), text)
        except BaseException:
            payload.abort()
            raise


async def _read_up_to(limit: int, stream: aiohttp.StreamReader) -> bytes:
    """Return an answer's body as far as the limit; one read returns only what has come so far."""
    text = bytearray()
    while len(text) < limit and (part := await stream.read(limit - len(text))):
        text += part
    return bytes(text)
