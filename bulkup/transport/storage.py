"""Sends the bytes of a file as its ticket says: builds forms, follows redirects, and selects the sender.

It does not import the API's client, because a sending process does not need one: with it, the start of such a process
takes nearly twice as long.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Self

import anyio

from bulkup.helpers.secrets import SecretUrl
from bulkup.model.bodies import Body
from bulkup.model.http import Headers, StorageAnswer
from bulkup.model.tickets import Ticket
from bulkup.transport.destination.guarded_resolver import GuardedResolver
from bulkup.transport.destination.redirects import (
    MAX_REDIRECTS,
    REPEATING_STATUSES,
    headers_for,
    redirected,
    too_many_redirects,
)
from bulkup.transport.destination.resolver import SystemResolver
from bulkup.transport.failures import FailureKind, exchange_problem
from bulkup.transport.form_body import FormBody
from bulkup.transport.front_answers import BAD_REQUEST, failure_in_answer
from bulkup.transport.lean import LeanSender
from bulkup.transport.proxies import PROXY_AUTHENTICATION_REQUIRED, Proxies
from bulkup.transport.sender import OnBytes, Sender
from bulkup.transport.throttled_body import Throttle, in_turn
from bulkup.transport.tls import TlsVerification
from bulkup.transport.transport_options import TransportOptions

_HANDLED_HERE = frozenset({*REPEATING_STATUSES, PROXY_AUTHENTICATION_REQUIRED, BAD_REQUEST})
_WAITING_SHARE = 0.25  # of the idle timeout, after which a body that waits for its turn says so
_LONGEST_WAIT = 1.0  # seconds, the same


class Storage:
    """Owns the sender between `__aenter__` and `__aexit__`. Raises `UsageError` when the CA file cannot be used.

    `throttle` limits the bytes of files that are sent per second, None for no limit at any time.
    """

    throttle: Throttle | None = None

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

    @property
    def round_trip(self) -> float | None:
        """Return the shortest time in which a connection to storage was opened, in seconds; None if it is unknown."""
        return self._sender.round_trip

    async def send(
        self,
        ticket: Ticket,
        body: Body,
        headers: Mapping[str, str],
        on_bytes: OnBytes,
        *,
        new_connection: bool = False,
    ) -> StorageAnswer:
        """Send a file's bytes with its ticket and return storage's answer.

        `headers` are added to those of the ticket. If the ticket has a form, the bytes are its last field. `on_bytes`
        is called with the number of file bytes after each piece. A 307 or 308 is followed, with the body from its
        beginning, unless it leads from https to http. With `new_connection` no idle connection is used.

        Raises `ProblemError` when no answer came or the host rules refuse the URL. When the body raised an error, that
        error is raised.
        """
        sent: Headers = {**ticket.headers, **headers} if ticket.headers else headers
        whole = body
        if ticket.form is not None:
            whole = form = FormBody(ticket.form, body)
            sent, on_bytes = {**sent, "Content-Type": form.content_type}, form.file_bytes_only(on_bytes)
        throttle = self.throttle
        limited = throttle is not None and (throttle.piece is not None or body.data is None)
        exchange = self._exchange_in_turn if limited else self._sender.exchange
        if new_connection:
            exchange = functools.partial(exchange, new_connection=True)
        answer = await exchange(ticket.method, ticket.url, sent, whole, on_bytes)
        if answer.status in _HANDLED_HERE:
            again = functools.partial(exchange, body=whole, on_bytes=on_bytes)
            return await self._redirected(answer, ticket, again, sent)
        return answer

    async def _exchange_in_turn(
        self,
        method: str,
        url: SecretUrl,
        headers: Headers,
        body: Body,
        on_bytes: OnBytes,
        *,
        new_connection: bool = False,
    ) -> StorageAnswer:
        """Do what `Sender.exchange` does, no faster than the limit allows."""
        assert self.throttle is not None
        patience = min(_LONGEST_WAIT, _WAITING_SHARE * self._options.idle_timeout)
        body = await in_turn(body, self.throttle, patience)
        return await self._sender.exchange(method, url, headers, body, on_bytes, new_connection=new_connection)

    async def _redirected(
        self, answer: StorageAnswer, ticket: Ticket, again: Callable[..., Awaitable[StorageAnswer]], headers: Headers
    ) -> StorageAnswer:
        """Follow the redirect in an answer; `again` sends the body with another URL and its headers."""
        url = ticket.url
        for _ in range(MAX_REDIRECTS):
            self._check_way(answer, url)
            location = answer.headers.get("location") if answer.status in REPEATING_STATUSES else None
            if location is None:
                return answer
            old, url = url, redirected(url, location)
            headers = headers_for(url, old, headers)
            answer = await again(ticket.method, url, headers)
        self._check_way(answer, url)
        if answer.status in REPEATING_STATUSES and "location" in answer.headers:
            raise too_many_redirects()
        return answer

    def _check_way(self, answer: StorageAnswer, url: SecretUrl) -> None:
        """Raise `ProblemError` if a proxy or web server on the way gave the answer, which looks like storage's."""
        failure = failure_in_answer(url, answer.status, answer.body)
        if failure is not None:
            raise exchange_problem(failure, None, url, self._options.idle_timeout)
        if answer.status == PROXY_AUTHENTICATION_REQUIRED and self._proxies.for_url(url.reveal()) is not None:
            raise exchange_problem(FailureKind.PROXY_AUTHENTICATION, None, url, self._options.idle_timeout)

    async def _open(self, stack: contextlib.AsyncExitStack) -> None:
        self._sender = await stack.enter_async_context(self._new_sender())

    def _new_sender(self) -> Sender:
        resolver = SystemResolver()
        guard = GuardedResolver(self._options.hosts, resolver)
        if self._options.sender == "lean":
            return LeanSender(self._options, self._tls, self._proxies, guard, resolver)
        from bulkup.transport.by_aiohttp.aiohttp_sender import AiohttpSender  # noqa: PLC0415  # it imports aiohttp

        return AiohttpSender(self._options, self._tls, self._proxies, guard)
