"""Move UGC: aliases in one mutation, and errors with status 200."""

from __future__ import annotations

import asyncio

import pytest
from provider_cases import (
    NOW,
    FakeCall,
    answer_of,
    asked_with,
    body_of,
    items_of,
    presign,
    provider_of,
    refusal,
    specs_of,
    the_case,
)

from bulkup.helpers.secrets import Secret, SecretUrl
from bulkup.model.http import ApiAnswer
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.model.tickets import Download
from bulkup.providers import FileSpec

MOVE, MAGIC_HOUR = the_case("move-ugc"), the_case("magic-hour")


def test_a_url_with_a_version_4_signature_allows_content_md5() -> None:
    """It covers only the headers that it names."""
    url = "https://s.example/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires=60&X-Amz-Signature=1"
    item = {**items_of(MAGIC_HOUR, "mp4")[0], "upload_url": url}
    assert presign(MAGIC_HOUR, answer_of(MAGIC_HOUR.answer([item])), specs_of(MAGIC_HOUR, "mp4"))[0].content_md5
    move = {**items_of(MOVE, "mp4")[0], "presignedUrl": url}
    assert not presign(MOVE, answer_of(MOVE.answer([move])), specs_of(MOVE, "mp4"))[0].content_md5


def test_a_url_without_an_expiry_has_no_lease() -> None:
    """Storage's refusal then shows that it expired."""
    item = {**items_of(MOVE, "mp4")[0], "presignedUrl": "https://s3.example/k?Signature=1"}
    assert presign(MOVE, answer_of(MOVE.answer([item])), specs_of(MOVE, "mp4"))[0].expires_at is None


def test_any_extension_is_accepted_but_one_is_required() -> None:
    """The API requires `type`."""
    assert provider_of(MOVE).reject(specs_of(MOVE, "move")[0]) is None
    rejection = provider_of(MOVE).reject(FileSpec("README", "README", "", 1))
    assert rejection is not None
    assert "extension" in rejection.reason


def test_the_request_has_an_alias_per_file_and_names_as_variables() -> None:
    """For two files, it is the query on the service's page."""
    call = FakeCall(answer_of(MOVE.answer(items_of(MOVE, "mp4", "mov"))))
    asked_with(provider_of(MOVE), call, specs_of(MOVE, "mp4", "mov"))
    body = body_of(call.requests[0])
    assert body["query"] == (
        "mutation CreateFiles($t0: String!, $n0: String, $t1: String!, $n1: String)"
        " { f0: createFile(type: $t0, name: $n0) { id presignedUrl }"
        " f1: createFile(type: $t1, name: $n1) { id presignedUrl } }"
    )
    assert body["variables"] == {"t0": "mp4", "n0": "n0.mp4", "t1": "mov", "n1": "n1.mov"}


@pytest.mark.parametrize(
    ("error_type", "kind"),
    [
        ("UnauthorizedException", ProblemKind.UNAUTHORIZED),
        ("AccessDeniedException", ProblemKind.UNAUTHORIZED),
        ("ThrottlingException", ProblemKind.THROTTLED),
        ("TooManyRequestsException", ProblemKind.THROTTLED),
        ("LimitExceededException", ProblemKind.THROTTLED),
        ("ValidationError", ProblemKind.REJECTED),
        ("BadRequestException", ProblemKind.REJECTED),
        ("MoveInternalError", ProblemKind.TRANSIENT),
        (None, ProblemKind.TRANSIENT),
        (7, ProblemKind.TRANSIENT),
    ],
)
def test_an_error_with_status_200(error_type: object, kind: ProblemKind) -> None:
    """`errorType` decides, and earlier aliases may have been created."""
    body = {"data": None, "errors": [{"path": ["f1"], "errorType": error_type, "message": "Sorry.", "errorInfo": None}]}
    problem = refusal(MOVE, answer_of(body))
    assert (problem.kind, problem.maybe_created) == (kind, True)
    assert "Sorry." in problem.message


@pytest.mark.parametrize("errors", ["oops", [None], ["oops"], {"message": "x"}, 7, [[]], [{}], [{"message": None}]])
def test_an_error_of_any_form_is_an_error(errors: object) -> None:
    """Even if it cannot be read and there is data."""
    body = {**MOVE.answer(items_of(MOVE, *MOVE.extensions)), "errors": errors}
    problem = refusal(MOVE, answer_of(body))
    assert (problem.kind, problem.maybe_created) == (ProblemKind.TRANSIENT, True)


@pytest.mark.parametrize("errors", [None, []])
def test_an_empty_list_of_errors_is_a_success(errors: object) -> None:
    body = {**MOVE.answer(items_of(MOVE, "mp4")), "errors": errors}
    assert presign(MOVE, answer_of(body), specs_of(MOVE, "mp4"))


def test_data_for_other_aliases_is_refused() -> None:
    """Even if their number is right."""
    items = items_of(MOVE, "mp4", "mp4")
    body = {"data": {"f0": items[0], "f2": items[1]}}
    assert refusal(MOVE, answer_of(body), specs_of(MOVE, "mp4", "mp4")).maybe_created


FILE = "file-2be2463e"
FOUND = {"id": FILE, "presignedUrl": "https://s3.example/2be2463e.mp4?AWSAccessKeyId=A&Signature=1&Expires=1700003600"}


def downloaded(answer: ApiAnswer) -> tuple[Download | None, FakeCall]:
    call = FakeCall(answer)
    return asyncio.run(provider_of(MOVE).download(FILE, call)), call


def not_downloaded(answer: ApiAnswer) -> Problem:
    with pytest.raises(ProblemError) as raised:
        downloaded(answer)
    return raised.value.problem


def test_a_file_can_be_downloaded_from_the_url_of_a_query() -> None:
    """The id is a variable, and never part of the query."""
    found, call = downloaded(answer_of({"data": {"getFile": FOUND}}))
    assert found == Download(SecretUrl(FOUND["presignedUrl"]), NOW + 3600)
    (request,) = call.requests
    assert (request.method, request.path) == ("POST", "/ugc/graphql")
    assert request.headers["Authorization"] == Secret("s3cret-key-0001")
    assert body_of(request) == {
        "query": "query GetFile($id: ID!) { getFile(fileId: $id) { id presignedUrl } }",
        "variables": {"id": FILE},
    }


def test_a_file_that_the_service_does_not_know_cannot_be_downloaded() -> None:
    """The answer on the service's page."""
    error = {
        "path": ["getFile"],
        "data": None,
        "errorType": "MoveNotFoundError",
        "errorInfo": None,
        "locations": [{"line": 2, "column": 3, "sourceName": None}],
        "message": "Resource not found in move-ugc-api.",
    }
    assert downloaded(answer_of({"data": None, "errors": [error]}))[0] is None


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        ({"data": {"getFile": {**FOUND, "id": "file-other"}}}, 200, ProblemKind.TRANSIENT),
        ({"data": {"getFile": {**FOUND, "presignedUrl": None}}}, 200, ProblemKind.TRANSIENT),
        ({"data": {"getFile": {**FOUND, "presignedUrl": "http://s3.example/k"}}}, 200, ProblemKind.TRANSIENT),
        ({"data": {"getFile": None}}, 200, ProblemKind.TRANSIENT),
        ({"data": {}}, 200, ProblemKind.TRANSIENT),
        ({"data": None, "errors": []}, 200, ProblemKind.TRANSIENT),
        ({"data": None, "errors": [[]]}, 200, ProblemKind.TRANSIENT),
        (b"<html>", 200, ProblemKind.TRANSIENT),
        ({"errors": [{"errorType": "MoveNotFoundError", "message": "?"}]}, 404, ProblemKind.UNUSABLE),
        ({"errors": [{"errorType": "UnauthorizedException", "message": "?"}]}, 401, ProblemKind.UNAUTHORIZED),
        ({"data": None, "errors": [{"errorType": "ThrottlingException"}]}, 200, ProblemKind.THROTTLED),
        (b"", 503, ProblemKind.UNREACHABLE),
    ],
)
def test_no_download_is_a_problem_that_created_nothing(body: object, status: int, kind: ProblemKind) -> None:
    """Only the service's own word means that a file is missing."""
    problem = not_downloaded(answer_of(body, status))
    assert (problem.kind, problem.maybe_created) == (kind, False)
    assert "?AWS" not in problem.message
