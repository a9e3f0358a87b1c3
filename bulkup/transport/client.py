"""All HTTP of a run: API calls over an aiohttp session, and bytes to storage through a sender.

API and storage share no cookies and no default credentials, so neither receives the secrets of the other.
"""

from __future__ import annotations

import contextlib
import dataclasses

import aiohttp
from yarl import URL

from bulkup.helpers.clock import Clock
from bulkup.helpers.secrets import SecretAddress, SecretUrl
from bulkup.model.http import ApiAnswer, ApiRequest
from bulkup.model.problems import ProblemKind
from bulkup.transport import headers as http_headers
from bulkup.transport.bounded_body import ACCEPTED, BodyError, BoundedBody
from bulkup.transport.by_aiohttp.aiohttp_errors import http_problem
from bulkup.transport.by_aiohttp.client_session import SKIPPED_AUTO_HEADERS, open_session
from bulkup.transport.failures import FailureKind, exchange_problem, unreadable_body
from bulkup.transport.front_answers import failure_in_answer
from bulkup.transport.proxies import PROXY_AUTHENTICATION_REQUIRED
from bulkup.transport.storage import Storage
from bulkup.transport.transport_options import TransportOptions

_FIRST_ERROR = 400  # of the statuses
_IDLE_API_CONNECTIONS = 16  # a service has one or two hosts


class Transport(Storage):
    """Owns the API's session as well as the sender. Raises `UsageError` when the CA file cannot be used."""

    def __init__(self, options: TransportOptions, clock: Clock) -> None:
        super().__init__(options)
        self._clock = clock
        # An API call is small, so one limit covers all of it: a late connection, then an idle server.
        self._api_timeout = aiohttp.ClientTimeout(
            total=options.idle_timeout + options.connect_timeout, connect=options.connect_timeout
        )
        self._api: aiohttp.ClientSession

    async def call(self, base_url: str, request: ApiRequest) -> ApiAnswer:
        """Make an API call and return its answer, with any status.

        Raises `ProblemError` when no complete answer came. A redirect is returned as an answer, because credentials
        must not follow it.
        """
        url = (SecretAddress if request.secret_path else SecretUrl)((request.base_url or base_url) + request.path)
        failure: BaseException
        try:
            return await self._answer(url, request)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            failure = error
        # Outside the handler, so that aiohttp's error, whose text may hold a URL, is not the context of ours.
        proxy = self._proxies.for_message(url.reveal())
        raised = http_problem(failure, url, self._options.idle_timeout, proxy=proxy)
        if raised.problem.kind is ProblemKind.FAILED:
            # The call itself is invalid, so no file of the group is at fault.
            raised.problem = dataclasses.replace(raised.problem, kind=ProblemKind.UNUSABLE)
        raise raised

    async def _open(self, stack: contextlib.AsyncExitStack) -> None:
        self._api = await stack.enter_async_context(open_session(idle=_IDLE_API_CONNECTIONS))
        await super()._open(stack)

    async def _answer(self, url: SecretUrl, request: ApiRequest) -> ApiAnswer:
        sent_at = self._clock.now()
        signed = request.signed(sent_at) if request.signed is not None else {}
        proxy = self._proxies.for_url(url.reveal())
        async with self._api.request(
            request.method,
            URL(url.reveal(), encoded=True),
            data=request.body,
            headers=http_headers.reveal({"Accept-Encoding": ACCEPTED, **request.headers, **signed}),
            skip_auto_headers=SKIPPED_AUTO_HEADERS,
            allow_redirects=False,
            timeout=self._api_timeout,
            proxy=proxy,
            ssl=self._tls.for_aiohttp(url.reveal(), proxy),
        ) as response:
            if response.status == PROXY_AUTHENTICATION_REQUIRED and proxy is not None:
                raise exchange_problem(FailureKind.PROXY_AUTHENTICATION, None, url, self._options.idle_timeout)
            limit = self._options.api_answer_limit + request.urls * self._options.api_answer_per_url
            try:
                body = BoundedBody(response.headers.get("content-encoding", ""), limit)
                async for chunk in response.content.iter_chunked(64 * 1024):
                    body.feed(chunk)
                content = body.end()
            except BodyError as error:
                if response.status < _FIRST_ERROR:
                    raise unreadable_body(url, str(error)) from None
                content = b""  # the status is known, and matters more than its explanation
            if (failure := failure_in_answer(url, response.status, content)) is not None:
                raise exchange_problem(failure, None, url, self._options.idle_timeout)
            headers = http_headers.with_lower_names(response.headers)
            return ApiAnswer(response.status, headers, content, sent_at)
