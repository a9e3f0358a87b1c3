"""The sender that uses the aiohttp client."""

from __future__ import annotations

from types import TracebackType
from typing import Self

import aiohttp
import anyio
from yarl import URL

from bulkup.helpers.secrets import SecretUrl
from bulkup.model.bodies import Body
from bulkup.model.http import Headers, StorageAnswer
from bulkup.transport import headers as http_headers
from bulkup.transport.by_aiohttp.aiohttp_errors import http_problem
from bulkup.transport.by_aiohttp.client_session import SKIPPED_AUTO_HEADERS, open_session
from bulkup.transport.by_aiohttp.payload import BodyPayload
from bulkup.transport.destination.guarded_resolver import GuardedResolver
from bulkup.transport.proxies import Proxies
from bulkup.transport.sender import ANSWER_LIMIT, OnBytes
from bulkup.transport.tls import TlsVerification
from bulkup.transport.transport_options import TransportOptions

_SMALL = 32 * 1024  # bytes of a body that fits into the buffers on the way


class AiohttpSender:
    """A `Sender` with two aiohttp sessions: one for direct connections, one for those through a proxy."""

    round_trip: float | None = None  # aiohttp does not report it without a trace of each request

    def __init__(
        self, options: TransportOptions, tls: TlsVerification, proxies: Proxies, guard: GuardedResolver
    ) -> None:
        self._options = options
        self._tls = tls
        self._proxies = proxies
        self._guard = guard
        # aiohttp's own idle timeout (`sock_read`) starts when the body is written. That is enough for a small body,
        # which fits into the buffers; `exchange` watches the progress of a large one. Each byte of an answer restarts
        # `sock_read`, so `total` limits the whole exchange.
        self._small_body_timeout = aiohttp.ClientTimeout(
            total=options.connect_timeout + 2 * options.idle_timeout,
            connect=options.connect_timeout,
            sock_read=options.idle_timeout,
        )
        self._large_body_timeout = aiohttp.ClientTimeout(connect=options.connect_timeout)
        self._sessions: dict[tuple[bool, bool], aiohttp.ClientSession] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for session in self._sessions.values():
            await session.close()

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
        # The scope below ends without an error if the deadline moved just after it had passed.
        failure: BaseException = TimeoutError()
        idle = self._options.idle_timeout
        try:
            await self._guard.check_url(url)
            if body.size <= _SMALL and body.data is not None:
                payload = BodyPayload(body, on_bytes)
                timeout = self._small_body_timeout
                return await self._request(method, url, headers, payload, timeout, new_connection=new_connection)
            with anyio.fail_after(idle + self._options.connect_timeout) as scope:
                sent, progress = 0, self._options.progress_timeout

                def progressed(count: int) -> None:
                    nonlocal sent
                    sent += count
                    scope.deadline = anyio.current_time() + progress.after(sent)
                    on_bytes(count)

                payload = BodyPayload(body, progressed)
                timeout = self._large_body_timeout
                return await self._request(method, url, headers, payload, timeout, new_connection=new_connection)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            failure = error
        # Outside the handler, so that aiohttp's error, whose text may hold a URL, is not the context of ours.
        raise body.failure or http_problem(failure, url, idle, proxy=self._proxies.for_message(url.reveal()))

    async def _request(
        self,
        method: str,
        url: SecretUrl,
        headers: Headers,
        payload: BodyPayload,
        timeout: aiohttp.ClientTimeout,
        *,
        new_connection: bool,
    ) -> StorageAnswer:
        proxy = self._proxies.for_url(url.reveal())
        session = self._session(proxied=proxy is not None, reuse=not new_connection)
        try:
            async with session.request(
                http_headers.checked_method(method),
                URL(url.reveal(), encoded=True),
                data=payload,
                # aiohttp sends no length for an empty body, and storage answers a PUT without one with a 411.
                headers=http_headers.with_length(headers, payload.size or 0),
                skip_auto_headers=SKIPPED_AUTO_HEADERS,
                allow_redirects=False,
                timeout=timeout,
                proxy=proxy,
                ssl=self._tls.for_aiohttp(url.reveal(), proxy),
            ) as response:
                early = payload.held_back
                text = await _read_up_to(ANSWER_LIMIT, response.content)
                if early:
                    payload.abort()  # or aiohttp would use the connection again, behind the rest of this body
                return StorageAnswer(response.status, http_headers.with_lower_names(response.headers), text, early)
        except BaseException:
            payload.abort_if_closing()
            raise

    def _session(self, *, proxied: bool, reuse: bool) -> aiohttp.ClientSession:
        session = self._sessions.get((proxied, reuse))
        if session is None:
            # A proxy looks up storage's names itself, and may have a private address, so its session has no guard.
            guard = None if proxied else self._guard
            options = self._options
            session = open_session(guard, limit=options.connections, idle=options.idle_connections, reuse=reuse)
            self._sessions[proxied, reuse] = session
        return session


async def _read_up_to(limit: int, stream: aiohttp.StreamReader) -> bytes:
    """Return up to `limit` bytes of an answer's body. A single read may return fewer bytes."""
    text = bytearray()
    while len(text) < limit and (part := await stream.read(limit - len(text))):
        text += part
    return bytes(text)
