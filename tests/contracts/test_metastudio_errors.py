"""The meaning of errors of MetaStudio and its gateway, and closing calls."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from provider_cases import (
    BASE_URL,
    DATE,
    DIGEST,
    NOW,
    FakeCall,
    answer_of,
    asked_with,
    body_of,
    configured,
    items_of,
    refusal,
    specs_of,
    the_case,
)

from bulkup.helpers.secrets import Secret
from bulkup.model.files import Identity
from bulkup.model.http import ApiAnswer
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.model.states import FileState
from bulkup.model.tickets import Receipt
from bulkup.pipeline.policy.common_refusals import alike
from bulkup.providers import Provider, ProviderConfig, create
from bulkup.providers.metastudio.answers import has_completed

META = the_case("metastudio")
(TICKET,) = asked_with(configured(META), FakeCall(answer_of(META.answer(items_of(META, "png")))), specs_of(META, "png"))
RECEIPT = Receipt(DIGEST, Identity(1, 2, 3, 4, 5), "etag", verified=True, stored_at=NOW)
RIGHTS, ROOT = "check the keys, and that project_id", "is base_url the root of this service?"

# docs/contracts.md section 3: status, code, the meaning for an upload, and the hint.
TABLE = [
    (400, "MSS.00000003", ProblemKind.REJECTED, ""),
    (401, "MSS.00000001", ProblemKind.UNAUTHORIZED, RIGHTS),
    (500, "MSS.00000004", ProblemKind.TRANSIENT, ""),
    (401, "APIGW.0301", ProblemKind.UNAUTHORIZED, RIGHTS),
    (403, "APIGW.0302", ProblemKind.UNAUTHORIZED, RIGHTS),
    (403, "APIGW.0306", ProblemKind.UNAUTHORIZED, RIGHTS),
    (401, "APIGW.0307", ProblemKind.UNAUTHORIZED, RIGHTS),
    (404, "APIGW.0101", ProblemKind.UNUSABLE, ROOT),
    (413, "APIGW.0201", ProblemKind.REJECTED, ""),
    (429, "APIGW.0308", ProblemKind.THROTTLED, ""),
    (500, "APIGW.0203", ProblemKind.TRANSIENT, ""),
    (502, "APIGW.0601", ProblemKind.UNREACHABLE, ""),
    (404, "", ProblemKind.UNUSABLE, ROOT),
    (404, "MSS.00000005", ProblemKind.REJECTED, ""),
    (403, "", ProblemKind.UNAUTHORIZED, RIGHTS),
    (408, "", ProblemKind.TRANSIENT, ""),
    (409, "", ProblemKind.REJECTED, ""),
]


def error(status: int, code: str = "", message: str = "said so", **headers: str) -> ApiAnswer:
    body = {"error_code": code, "error_msg": message, "request_id": "r-1"} if code else b""
    return answer_of(body, status, **headers)


def confirmed(*answers: ApiAnswer, again: bool = False) -> tuple[Any, FakeCall]:
    call = FakeCall(*answers)
    return asyncio.run(configured(META).confirm(TICKET, RECEIPT, call, again=again)), call


def unconfirmed(*answers: ApiAnswer, again: bool = False) -> Problem:
    with pytest.raises(ProblemError) as raised:
        confirmed(*answers, again=again)
    return raised.value.problem


@pytest.mark.parametrize(("status", "code", "kind", "hint"), TABLE)
def test_the_error_code_decides(status: int, code: str, kind: ProblemKind, hint: str) -> None:
    """With the service's message, and a hint if the user can fix it."""
    problem = refusal(META, error(status, code))
    assert problem.kind is kind
    assert hint in problem.message
    assert (RIGHTS in problem.message) is (kind is ProblemKind.UNAUTHORIZED)
    assert (f"{code}: said so" in problem.message) is bool(code)
    assert problem.maybe_created is (kind in (ProblemKind.TRANSIENT, ProblemKind.UNREACHABLE))


def test_the_message_of_a_failed_call_has_its_request_id() -> None:
    """Support asks for it. Refusals that differ only by it still count as alike."""
    first, second = (
        refusal(META, error(400, "MSS.00000003", **{"x-request-id": text})).message
        for text in ("5a1f-00b2-c9d8", "7d33-91aa-0f2b")
    )
    assert first.endswith('MSS.00000003: said so [X-Request-Id "5a1f-00b2-c9d8"]')
    assert alike(first) == alike(second)
    closing = unconfirmed(error(403, "APIGW.0306", **{"x-request-id": "r-1"}))
    assert closing.message.endswith('[X-Request-Id "r-1"]')


@pytest.mark.parametrize("told", ["", "a b", 'a"b', "\x1b[31m", "x" * 129, "\u00e9"])
def test_a_request_id_that_is_none_is_not_repeated(told: str) -> None:
    assert "X-Request-Id" not in refusal(META, error(400, "MSS.00000003", **{"x-request-id": told})).message


@pytest.mark.parametrize("body", [b"<html>", b"[1]", {"error_code": 7, "error_msg": None}, {"error_msg": "words"}])
def test_without_an_error_code_the_status_decides(body: Any) -> None:
    """With any body."""
    assert refusal(META, answer_of(body, 401)).kind is ProblemKind.UNAUTHORIZED
    assert refusal(META, answer_of(body, 429)).kind is ProblemKind.THROTTLED


def signed_refusal(answer: ApiAnswer) -> Problem:
    keys = {"access_key": Secret("AK"), "secret_key": Secret("SK")}
    provider = create("metastudio", ProviderConfig(BASE_URL, keys, META.settings))
    with pytest.raises(ProblemError) as raised:
        asked_with(provider, FakeCall(answer), specs_of(META, "png"))
    return raised.value.problem


@pytest.mark.parametrize(
    ("ahead", "said"),
    [
        (3600, "this machine's clock is 60 minutes ahead of the service's"),
        (-1800, "this machine's clock is 30 minutes behind the service's"),
    ],
)
def test_the_hint_about_a_wrong_clock(ahead: float, said: str) -> None:
    """It makes signatures invalid, although the keys may be right."""
    problem = signed_refusal(replace(error(401, "APIGW.0301", date=DATE), sent_at=NOW + ahead))
    assert problem.kind is ProblemKind.UNAUTHORIZED
    assert said in problem.message
    assert "valid for 15: set the clock" in problem.message


@pytest.mark.parametrize("ahead", [-900, 0, 900])
def test_no_hint_about_the_clock(ahead: float) -> None:
    """If the clock is nearly right, the answer has no time, or the call was not signed."""
    within = replace(error(401, "APIGW.0301", date=DATE), sent_at=NOW + ahead)
    off = replace(error(401, "APIGW.0301", date=DATE), sent_at=NOW + 86_400)
    undated = replace(error(401, "APIGW.0301"), sent_at=NOW + 86_400)
    for problem in (signed_refusal(within), signed_refusal(undated), refusal(META, off)):
        assert RIGHTS in problem.message
        assert "clock" not in problem.message


def test_the_request_of_a_closing_call() -> None:
    """It goes to the file's path with the project's header."""
    told, call = confirmed(answer_of(b""))
    (request,) = call.requests
    assert (request.method, request.path) == ("POST", f"/v1/p-1/files/{TICKET.remote_id}/complete")
    assert body_of(request) == {"state": "CREATED"}
    assert request.headers["X-Project-Id"] == "p-1"
    assert told == {"state": "CREATED"}


# Whether it is complete as far as the first call knows, and where an earlier one may have been heard.
COMPLETIONS = [
    (200, "", "", True, True),
    (201, "", "", True, True),
    (409, "MSS.00000009", "state conflict", False, True),
    (409, "MSS.00000009", "The file has been completed already.", True, True),
    (409, "MSS.00000009", "the asset has a MAIN file already", False, False),
    (409, "MSS.00000009", "File state conflict: upload FAILED, md5 check not passed", False, False),
    (409, "MSS.00000009", "upload was cancelled already", False, False),
    (400, "MSS.00000003", "The file has already been completed", True, True),
    (400, "MSS.00000003", "upload complete already", True, True),
    (400, "MSS.00000003", "already", False, False),
    (400, "MSS.00000003", "complete the form", False, False),
    (404, "MSS.00000005", "already completed", False, False),
    (500, "MSS.00000004", "already completed", False, False),
]


@pytest.mark.parametrize(("status", "code", "message", "first", "later"), COMPLETIONS)
def test_a_repeated_closing_call_is_a_success(status: int, code: str, message: str, first: bool, later: bool) -> None:
    """After an interruption. The service may report it in several ways."""
    answer = error(status, code, message)
    for again, done in ((False, first), (True, later)):
        assert has_completed(answer, again=again) is done
        if done:
            assert confirmed(answer, again=again)[0] == {"state": "CREATED"}
        else:
            assert unconfirmed(answer, again=again).kind in (
                ProblemKind.REJECTED,
                ProblemKind.FAILED,
                ProblemKind.TRANSIENT,
            )


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (error(404, "MSS.00000005"), ProblemKind.FAILED),
        (error(400, "MSS.00000003", "the file was not uploaded"), ProblemKind.FAILED),
        (error(400), ProblemKind.FAILED),
        (error(404, "APIGW.0101"), ProblemKind.UNUSABLE),
        (error(401, "MSS.00000001"), ProblemKind.UNAUTHORIZED),
        (error(429, "APIGW.0308"), ProblemKind.THROTTLED),
        (error(500), ProblemKind.TRANSIENT),
        (error(409, "MSS.00000009", "an asset has one MAIN"), ProblemKind.REJECTED),
    ],
)
def test_a_closing_call_fails_like_any_other(answer: ApiAnswer, kind: ProblemKind) -> None:
    """A file that the service lost is failed alone."""
    assert unconfirmed(answer).kind is kind


@pytest.mark.parametrize("state", [state for state in FileState if state is not FileState.UPLOADED])
def test_a_file_that_is_given_up_is_reported(state: FileState) -> None:
    """As FAILED if it failed, otherwise as CANCELLED."""
    provider: Provider = configured(META)
    call = FakeCall(answer_of(b""))
    asyncio.run(provider.abandon(TICKET, state, call))
    assert call.requests[0].path == f"/v1/p-1/files/{TICKET.remote_id}/complete"
    assert body_of(call.requests[0]) == {"state": "FAILED" if state is FileState.FAILED else "CANCELLED"}


def test_a_refused_report_raises_a_problem() -> None:
    """The pipeline decides about it."""
    with pytest.raises(ProblemError):
        asyncio.run(configured(META).abandon(TICKET, FileState.FAILED, FakeCall(error(409, "MSS.00000009"))))
