"""What goes over HTTP in a run: calls to the API over a session of its own, and bytes to storage through a sender.

API and storage share nothing, neither cookies nor default credentials, so that neither can ever see what belongs to the
other.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping
from types import TracebackType
from typing import Self

import aiohttp
import anyio
from aiohttp import hdrs
from aiohttp.abc import AbstractResolver
from yarl import URL

from bulkup.clock import Clock
from bulkup.messages import Kind, Ticket
from bulkup.secrets import SecretUrl
from bulkup.transport import headers as http_headers
from bulkup.transport.aiohttp_problems import http_problem
from bulkup.transport.aiohttp_sender import AiohttpSender
from bulkup.transport.connection import Proxies, Verification
from bulkup.transport.form import FormBody
from bulkup.transport.guard import GuardedResolver
from bulkup.transport.lean import LeanSender
from bulkup.transport.options import TransportOptions
from bulkup.transport.redirects import MOST, WITH_BODY, headers_for, redirected, too_many
from bulkup.transport.sender import Headers, OnBytes, Sender
from bulkup.transport.sessions import NOT_BY_ITSELF, open_session
from bulkup.wire import ApiAnswer, ApiRequest, Body, StorageAnswer

_API_ANSWER_LIMIT = 64 * 1024**2


class Transport:
    """Owns the session and the sender between `__aenter__` and `__aexit__`."""

    def __init__(self, options: TransportOptions, clock: Clock) -> None:
        self._options = options
        self._clock = clock
        self._tls = Verification(options.ca_file)
        self._proxies = Proxies()
        # An API call is small: it has no business taking longer than one that connects late and then falls silent.
        self._whole = aiohttp.ClientTimeout(
            total=options.idle_timeout + options.connect_timeout, connect=options.connect_timeout
        )
        self._stack = contextlib.AsyncExitStack()
        self._api: aiohttp.ClientSession
        self._sender: Sender

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as stack:
            resolver = aiohttp.DefaultResolver()
            guard = GuardedResolver(self._options.hosts, resolver)
            stack.push_async_callback(guard.close)
            self._api = await stack.enter_async_context(open_session(self._tls.for_aiohttp))
            self._sender = await stack.enter_async_context(self._new_sender(guard, resolver))
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with anyio.CancelScope(shield=True):
            await self._stack.aclose()

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

    async def send(self, ticket: Ticket, body: Body, headers: Mapping[str, str], on_bytes: OnBytes) -> StorageAnswer:
        """Send a file's bytes with its ticket and return what storage answered.

        `headers` are added to the ticket's own; a ticket with a form has the bytes go as its last field. `on_bytes` is
        told of the file's bytes as they go. A 307 is followed with the body from its beginning, to the same scheme or
        from http to https. Raises `ProblemError` when no answer came back or the URL leads where `hosts` refuses, and
        the body's own error when that ended it.
        """
        sent: Headers = {**ticket.headers, **headers} if ticket.headers else headers
        whole = body
        if ticket.form is not None:
            whole = form = FormBody(ticket.form, body)
            sent, on_bytes = {**sent, hdrs.CONTENT_TYPE: form.content_type}, form.counting(on_bytes)
        answer = await self._sender.exchange(ticket.method, ticket.url, sent, whole, on_bytes)
        if answer.status in WITH_BODY:
            return await self._redirected(answer, ticket, sent, whole, on_bytes)
        return answer

    async def _redirected(
        self, answer: StorageAnswer, ticket: Ticket, headers: Headers, body: Body, on_bytes: OnBytes
    ) -> StorageAnswer:
        url = ticket.url
        for _ in range(MOST):
            location = answer.headers.get("location") if answer.status in WITH_BODY else None
            if location is None:
                return answer
            old, url = url, redirected(url, location)
            headers = headers_for(url, old, headers)
            answer = await self._sender.exchange(ticket.method, url, headers, body, on_bytes)
        if answer.status in WITH_BODY and "location" in answer.headers:
            raise too_many()
        return answer

    def _new_sender(self, guard: GuardedResolver, resolver: AbstractResolver) -> Sender:
        if self._options.sender == "lean":
            return LeanSender(self._options, self._tls, self._proxies, guard, resolver)
        return AiohttpSender(self._options, self._tls, self._proxies, guard)

    async def _answer(self, url: SecretUrl, request: ApiRequest) -> ApiAnswer:
        sent_at = self._clock.now()
        signed = request.signed(sent_at) if request.signed is not None else {}
        async with self._api.request(
            request.method,
            URL(url.reveal(), encoded=True),
            data=request.body,
            headers=http_headers.revealed({**request.headers, **signed}),
            skip_auto_headers=NOT_BY_ITSELF,
            allow_redirects=False,
            timeout=self._whole,
            proxy=self._proxies.for_url(url.reveal()),
        ) as response:
            body = bytearray()
            async for chunk in response.content.iter_chunked(64 * 1024):
                body += chunk
                if len(body) > _API_ANSWER_LIMIT:
                    raise aiohttp.ClientPayloadError(f"an answer of more than {_API_ANSWER_LIMIT} bytes")
            return ApiAnswer(response.status, http_headers.lowered(response.headers), bytes(body), sent_at)
