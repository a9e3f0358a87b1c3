"""A file's bytes to where its ticket says: forms, redirects, and a sender that carries them.

Without the API's client, which a process that only sends has no use for: with it, starting takes nearly twice as long.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from types import TracebackType
from typing import Self

import anyio

from bulkup.model.bodies import Body
from bulkup.model.http import StorageAnswer
from bulkup.model.tickets import Ticket
from bulkup.transport.destination.guarded_resolver import GuardedResolver
from bulkup.transport.destination.redirects import MOST, WITH_BODY, headers_for, redirected, too_many
from bulkup.transport.destination.resolver import SystemResolver
from bulkup.transport.form_body import FormBody
from bulkup.transport.lean import LeanSender
from bulkup.transport.proxies import Proxies
from bulkup.transport.sender import Headers, OnBytes, Sender
from bulkup.transport.tls import TlsVerification
from bulkup.transport.transport_options import TransportOptions


class Storage:
    """Owns the sender between `__aenter__` and `__aexit__`. Raises `UsageError` when the CA file cannot be used."""

    def __init__(self, options: TransportOptions) -> None:
        self._options = options
        self._tls = TlsVerification(options.ca_file)
        self._proxies = Proxies()
        self._stack = contextlib.AsyncExitStack()
        self._sender: Sender

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as stack:
            await self._open(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with anyio.CancelScope(shield=True):
            await self._stack.aclose()

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
            sent, on_bytes = {**sent, "Content-Type": form.content_type}, form.counting(on_bytes)
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

    async def _open(self, stack: contextlib.AsyncExitStack) -> None:
        self._sender = await stack.enter_async_context(self._new_sender())

    def _new_sender(self) -> Sender:
        resolver = SystemResolver()
        guard = GuardedResolver(self._options.hosts, resolver)
        if self._options.sender == "lean":
            return LeanSender(self._options, self._tls, self._proxies, guard, resolver)
        from bulkup.transport.by_aiohttp.aiohttp_sender import AiohttpSender  # noqa: PLC0415  # it brings the API's client with it

        return AiohttpSender(self._options, self._tls, self._proxies, guard)
