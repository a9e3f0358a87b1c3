"""The test suite for every provider: the meaning of errors, their messages, and the same through the real transport."""

from __future__ import annotations

import json
import re
import secrets
import traceback
from collections.abc import Mapping, Sequence
from typing import Any
from unittest import mock

import aiohttp
import pytest
from aioresponses import CallbackResult, aioresponses
from provider_cases import (
    BASE_URL,
    DATE,
    Case,
    answer_of,
    every_case,
    items_of,
    presign,
    provider_of,
    refusal,
    specs_of,
)

from bulkup.helpers.clock import SystemClock
from bulkup.model.http import ApiAnswer, ApiRequest
from bulkup.model.problems import ProblemError, ProblemKind
from bulkup.providers import TicketAnswer
from bulkup.transport import Transport, TransportOptions

STATUSES = {
    301: ProblemKind.UNUSABLE,
    307: ProblemKind.UNUSABLE,
    401: ProblemKind.UNAUTHORIZED,
    402: ProblemKind.UNUSABLE,
    403: ProblemKind.UNUSABLE,
    404: ProblemKind.UNUSABLE,
    408: ProblemKind.TRANSIENT,
    409: ProblemKind.UNUSABLE,
    422: ProblemKind.REJECTED,
    429: ProblemKind.THROTTLED,
    500: ProblemKind.TRANSIENT,
    501: ProblemKind.UNUSABLE,
    502: ProblemKind.UNREACHABLE,
    503: ProblemKind.UNREACHABLE,
    504: ProblemKind.UNREACHABLE,
}


@every_case
@pytest.mark.parametrize("status", STATUSES)
def test_every_status_has_its_meaning(case: Case, status: int) -> None:
    """With the service's error body, a proxy's page, or an empty body."""
    for body in (case.error("because"), b"<html>", b""):
        problem = refusal(case, answer_of(body, status))
        assert problem.kind is case.kinds.get(status, STATUSES[status])
        assert str(status) in problem.message


@every_case
def test_the_services_message_is_shown(case: Case) -> None:
    """Long messages are cut."""
    said = "'mp4' is an invalid audio extension"
    assert said in refusal(case, answer_of(case.error(said), 422)).message
    assert len(refusal(case, answer_of(case.error("x" * 10_000), 422)).message) < 500


@every_case
def test_a_throttled_call_has_the_wait_of_retry_after(case: Case) -> None:
    """In seconds, as a date by the service's clock, or missing."""
    assert refusal(case, answer_of(b"", 429, **{"retry-after": "17"})).retry_after == 17.0
    dated = answer_of(b"", 429, **{"retry-after": "Tue, 14 Nov 2023 22:14:20 GMT", "date": DATE})
    assert refusal(case, dated).retry_after == 60.0
    assert refusal(case, answer_of(b"", 429)).retry_after is None


@every_case
@pytest.mark.parametrize("status", [500, 502, 504])
def test_after_a_gateways_error_ids_may_have_been_created(case: Case, status: int) -> None:
    """After a refusal there are none."""
    assert refusal(case, answer_of(b"", status)).maybe_created
    for certain in (401, 403, 422, 429, 503):
        assert not refusal(case, answer_of(b"", certain)).maybe_created


@every_case
@pytest.mark.parametrize("answer", [(401, {"message": "no"}), (200, {}), (200, b"<html>"), (500, b"")])
def test_no_error_discloses_credentials(case: Case, answer: tuple[int, Any], caplog: pytest.LogCaptureFixture) -> None:
    """Not in the message, the representation, the traceback or the log."""
    secret = secrets.token_hex(16)
    with caplog.at_level(0), pytest.raises(ProblemError) as raised:
        presign(case, answer_of(answer[1], answer[0]), specs_of(case, "mp4"), secret=secret)
    provider = provider_of(case, secret)
    told = [*traceback.format_exception(raised.value), repr(raised.value), repr(raised.value.problem), caplog.text]
    assert secret not in "".join([*told, repr(provider), repr(provider.config)])


@every_case
def test_the_credentials_are_redacted_from_messages(case: Case) -> None:
    """A service may quote the key."""
    assert "s3cret-key-0001" in [secret.reveal() for secret in provider_of(case).secrets]


# The same, through the real transport.


class PatchedResponse(aiohttp.ClientResponse):
    """aioresponses creates responses without the stream writer that newer clients need."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("stream_writer", mock.Mock(output_size=0))
        super().__init__(*args, **kwargs)


async def over_http(case: Case, secret: str, **answer: Any) -> tuple[Sequence[TicketAnswer], Mapping[str, Any]]:
    """Make a presign call through the transport. Return the tickets and the HTTP requests."""
    sent: dict[str, Any] = {}

    def keep(url: Any, **kwargs: Any) -> CallbackResult:
        sent.update(kwargs, url=str(url))
        return CallbackResult(response_class=PatchedResponse, **answer)

    provider = provider_of(case, secret)
    async with Transport(TransportOptions(connections=1), SystemClock()) as transport:

        async def call(request: ApiRequest) -> ApiAnswer:
            return await transport.call(provider.config.base_url, request)

        with aioresponses() as mocked:
            mocked.post(re.compile(re.escape(BASE_URL + case.path) + r"(\?.*)?"), callback=keep)
            return await provider.presign(specs_of(case, *["mp4", "mp3"][: case.group]), call), sent


@every_case
async def test_the_http_request_of_a_call(case: Case) -> None:
    """A POST to the service's path, with credentials, and without following redirects."""
    extensions = ["mp4", "mp3"][: case.group]
    body = case.answer(items_of(case, *extensions))
    tickets, sent = await over_http(case, "tok", body=json.dumps(body), headers={"Date": DATE})
    assert len(tickets) == len(extensions)
    assert sent["headers"][case.header] == case.header_value.format("tok")
    assert sent["allow_redirects"] is False
    request = ApiRequest("POST", sent["url"].removeprefix(BASE_URL), sent["headers"], sent["data"])
    assert case.asked(request) == extensions


@every_case
@pytest.mark.parametrize("status", STATUSES)
async def test_statuses_mean_the_same_over_http(case: Case, status: int) -> None:
    """The whole chain of the error is free of credentials."""
    secret = secrets.token_hex(16)
    with pytest.raises(ProblemError) as raised:
        await over_http(case, secret, status=status, body="<html>", headers={"Retry-After": "9"})
    assert raised.value.problem.kind is case.kinds.get(status, STATUSES[status])
    assert raised.value.problem.retry_after == 9.0
    assert secret not in "".join(traceback.format_exception(raised.value))
