"""The two HTTP sessions of a run and what goes over them.

API and storage have a session each, without cookies and without default credentials, so that neither can ever see what
belongs to the other.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import aiohttp
import anyio
from aiohttp import hdrs
from yarl import URL

from bulkup._version import __version__
from bulkup.clock import Clock
from bulkup.messages import Kind, Ticket
from bulkup.secrets import Secret, SecretUrl
from bulkup.transport.connection import Proxies, tls_context
from bulkup.transport.form import FormBody
from bulkup.transport.guard import GuardedResolver
from bulkup.transport.hosts import HostRules
from bulkup.transport.payload import BodyPayload
from bulkup.transport.problems import http_problem
from bulkup.transport.redirects import MOST, WITH_BODY, headers_for, redirected, too_many
from bulkup.wire import ApiAnswer, ApiRequest, Body, StorageAnswer

_API_ANSWER_LIMIT = 64 * 1024**2
_STORAGE_ANSWER_LIMIT = 64 * 1024
_FITS_BUFFERS = 32 * 1024
# What went out may stand in the buffers of both systems, where no progress shows; a slow server has to have the time to
# read it. Bytes, and bytes a second.
_BUFFERED = 8 * 1024**2
_SLOWEST = 64 * 1024
# Left to itself the client adds application/octet-stream, and a version 2 signature covers the type (contracts.md 2).
_NOT_BY_ITSELF = frozenset({hdrs.CONTENT_TYPE})
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_NO_VALUE = re.compile(r"[\r\n\0]")


@dataclass(frozen=True, slots=True)
class TransportOptions:
    """How to connect. Times in seconds; `idle_timeout` is without any progress, there is no limit on the whole of a
    large file.

    What is buffered on the way, 8 MiB at most, is granted its time at 64 KiB/s on top. `hosts` says where bytes may go.
    """

    connections: int
    connect_timeout: float = 30.0
    idle_timeout: float = 60.0
    ca_file: str | None = None
    hosts: HostRules = field(default_factory=HostRules)


class Transport:
    """Owns the sessions between `__aenter__` and `__aexit__`."""

    def __init__(self, options: TransportOptions, clock: Clock) -> None:
        self._options = options
        self._clock = clock
        self._tls = tls_context(options.ca_file)
        self._proxies = Proxies()
        # The client's own idle timeout begins once the body is written. A small body fits into the buffers on the way,
        # so that is all it needs; a large one may get stuck before, and has its progress watched as well.
        # That timeout begins anew with each byte of an answer, so there is one for the whole of it, too.
        self._short = aiohttp.ClientTimeout(
            total=options.connect_timeout + 2 * options.idle_timeout,
            connect=options.connect_timeout,
            sock_read=options.idle_timeout,
        )
        self._long = aiohttp.ClientTimeout(connect=options.connect_timeout)
        # An API call is small: it has no business taking longer than one that connects late and then falls silent.
        self._whole = aiohttp.ClientTimeout(
            total=options.idle_timeout + options.connect_timeout, connect=options.connect_timeout
        )
        self._api: aiohttp.ClientSession
        self._guard: GuardedResolver
        self._storage: aiohttp.ClientSession
        self._proxied_storage: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        connections = self._options.connections
        self._guard = GuardedResolver(self._options.hosts, aiohttp.DefaultResolver())
        self._api = self._session(limit=0)
        self._storage = self._session(limit=connections, resolver=self._guard)
        # The proxy looks up storage's names, and its own may well be one of the inside.
        self._proxied_storage = self._session(limit=connections)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with anyio.CancelScope(shield=True):
            for session in (self._api, self._storage, self._proxied_storage):
                await session.close()
            await self._guard.close()

    async def call(self, base_url: str, request: ApiRequest) -> ApiAnswer:
        """Carry out an API call and return its answer, whatever its status.

        Raises `ProblemError` when no whole answer came back. Redirects are answers: credentials follow none.
        """
        url = SecretUrl((request.base_url or base_url) + request.path)
        failure: BaseException
        try:
            return await self._answer(url, request)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            failure = error
        # Outside the handler, so that the client's error, whose text may hold a URL, is not even the context of ours.
        raised = http_problem(failure, url, self._options.idle_timeout)
        if raised.problem.kind is Kind.FAILED:  # no file of the group is at fault when the call cannot even be made
            raised.problem = dataclasses.replace(raised.problem, kind=Kind.UNUSABLE)
        raise raised

    async def send(
        self, ticket: Ticket, body: Body, headers: Mapping[str, str], on_bytes: Callable[[int], None]
    ) -> StorageAnswer:
        """Send a file's bytes with its ticket and return what storage answered.

        `headers` are added to the ticket's own; a ticket with a form has the bytes go as its last field. `on_bytes` is
        told of the file's bytes as they go. A 307 is followed with the body from its beginning, to the same scheme or
        from http to https. Raises `ProblemError` when no answer came back or the URL leads where `hosts` refuses, and
        the body's own error when that ended it.
        """
        if ticket.form is None:
            return await self._send(ticket, body, {**ticket.headers, **headers}, on_bytes)
        form = FormBody(ticket.form, body)

        def of_file(count: int) -> None:
            if form.in_file:
                on_bytes(count)

        return await self._send(
            ticket, form, {**ticket.headers, **headers, hdrs.CONTENT_TYPE: form.content_type}, of_file
        )

    async def _send(
        self, ticket: Ticket, body: Body, headers: Mapping[str, str | Secret], on_bytes: Callable[[int], None]
    ) -> StorageAnswer:
        url = ticket.url
        for _ in range(MOST + 1):
            await self._guard.check_url(url)
            answer, location = await self._send_once(ticket.method, url, body, headers, on_bytes)
            if location is None:
                return answer
            old, url = url, redirected(url, location)
            headers = headers_for(url, old, headers)
        raise too_many()

    async def _send_once(
        self,
        method: str,
        url: SecretUrl,
        body: Body,
        headers: Mapping[str, str | Secret],
        on_bytes: Callable[[int], None],
    ) -> tuple[StorageAnswer, str | None]:
        failure: BaseException
        idle = self._options.idle_timeout
        try:
            if body.size <= _FITS_BUFFERS:
                return await self._exchange(method, url, headers, BodyPayload(body, on_bytes), self._short)
            with anyio.fail_after(idle + self._options.connect_timeout) as scope:
                sent = 0

                def progressed(count: int) -> None:
                    nonlocal sent
                    sent += count
                    scope.deadline = anyio.current_time() + idle + min(sent, _BUFFERED) / _SLOWEST
                    on_bytes(count)

                return await self._exchange(method, url, headers, BodyPayload(body, progressed), self._long)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            failure = error
        raise body.failure or http_problem(failure, url, idle)

    async def _exchange(
        self,
        method: str,
        url: SecretUrl,
        headers: Mapping[str, str | Secret],
        payload: BodyPayload,
        timeout: aiohttp.ClientTimeout,
    ) -> tuple[StorageAnswer, str | None]:
        proxy = self._proxies.for_url(url.reveal())
        session = self._storage if proxy is None else self._proxied_storage
        try:
            async with session.request(
                _method(method),
                URL(url.reveal(), encoded=True),
                data=payload,
                # An empty file has no body to take a length from, and a PUT without one is a 411.
                headers={**_revealed(headers), hdrs.CONTENT_LENGTH: str(payload.size)},
                skip_auto_headers=_NOT_BY_ITSELF,
                allow_redirects=False,
                timeout=timeout,
                proxy=proxy,
            ) as response:
                text = await _read_up_to(_STORAGE_ANSWER_LIMIT, response.content)
                answered = _lowered(response.headers)
                location = answered.get("location") if response.status in WITH_BODY else None
                return StorageAnswer(response.status, answered, text), location
        except BaseException:
            payload.abort()
            raise

    async def _answer(self, url: SecretUrl, request: ApiRequest) -> ApiAnswer:
        sent_at = self._clock.now()
        signed = request.signed(sent_at) if request.signed is not None else {}
        async with self._api.request(
            request.method,
            URL(url.reveal(), encoded=True),
            data=request.body,
            headers=_revealed({**request.headers, **signed}),
            skip_auto_headers=_NOT_BY_ITSELF,
            allow_redirects=False,
            timeout=self._whole,
            proxy=self._proxies.for_url(url.reveal()),
        ) as response:
            body = bytearray()
            async for chunk in response.content.iter_chunked(64 * 1024):
                body += chunk
                if len(body) > _API_ANSWER_LIMIT:
                    raise aiohttp.ClientPayloadError(f"an answer of more than {_API_ANSWER_LIMIT} bytes")
            return ApiAnswer(response.status, _lowered(response.headers), bytes(body), sent_at)

    def _session(self, limit: int, resolver: GuardedResolver | None = None) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=limit, ssl=self._tls, keepalive_timeout=60, resolver=resolver),
            timeout=self._long,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={hdrs.USER_AGENT: f"bulkup/{__version__}"},
            trust_env=False,  # it would also send what ~/.netrc holds; proxies are looked up in `connection`
            auto_decompress=True,
        )


async def _read_up_to(limit: int, stream: aiohttp.StreamReader) -> bytes:
    """Return an answer's body as far as the limit; one read returns only what has come so far."""
    text = bytearray()
    while len(text) < limit and (part := await stream.read(limit - len(text))):
        text += part
    return bytes(text)


def _revealed(headers: Mapping[str, str | Secret]) -> dict[str, str]:
    """Return headers as they go out. Raises ValueError for what would end a header, or is none (RFC 9110 5.1, 5.5)."""
    plain = {name: value.reveal() if isinstance(value, Secret) else value for name, value in headers.items()}
    if any(_NO_VALUE.search(value) or not _TOKEN.fullmatch(name) for name, value in plain.items()):
        raise ValueError("a header that cannot be sent")
    return plain


def _method(text: str) -> str:
    if not _TOKEN.fullmatch(text):
        raise ValueError("a method that is none")
    return text


def _lowered(headers: Mapping[str, str]) -> dict[str, str]:
    # The client keeps bytes that are not UTF-8 as surrogates, which neither the journal nor JSON can hold.
    return {_utf8(name).lower(): _utf8(value) for name, value in headers.items()}


def _utf8(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
