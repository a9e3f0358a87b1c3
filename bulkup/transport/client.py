"""What goes over HTTP in a run: calls to the API over a session of its own, and bytes to storage through a sender.

API and storage share nothing, neither cookies nor default credentials, so that neither can ever see what belongs to the
other.
"""

from __future__ import annotations

import contextlib
import dataclasses

import aiohttp
from yarl import URL

from bulkup.helpers.clock import Clock
from bulkup.helpers.secrets import SecretUrl
from bulkup.model.http import ApiAnswer, ApiRequest
from bulkup.model.problems import ProblemKind
from bulkup.transport import headers as http_headers
from bulkup.transport.by_aiohttp.aiohttp_errors import http_problem
from bulkup.transport.by_aiohttp.client_session import NOT_BY_ITSELF, open_session
from bulkup.transport.storage import Storage
from bulkup.transport.transport_options import TransportOptions

_API_ANSWER_LIMIT = 64 * 1024**2


class Transport(Storage):
    """Owns the API's session beside the sender. Raises `UsageError` when the CA file cannot be used."""

    def __init__(self, options: TransportOptions, clock: Clock) -> None:
        super().__init__(options)
        self._clock = clock
        # An API call is small: it has no business taking longer than one that connects late and then falls silent.
        self._whole = aiohttp.ClientTimeout(
            total=options.idle_timeout + options.connect_timeout, connect=options.connect_timeout
        )
        self._api: aiohttp.ClientSession

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
        if (
            raised.problem.kind is ProblemKind.FAILED
        ):  # no file of the group is at fault when the call cannot even be made
            raised.problem = dataclasses.replace(raised.problem, kind=ProblemKind.UNUSABLE)
        raise raised

    async def _open(self, stack: contextlib.AsyncExitStack) -> None:
        self._api = await stack.enter_async_context(open_session(self._tls.for_aiohttp))
        await super()._open(stack)

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
