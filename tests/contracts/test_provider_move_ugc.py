"""What Move UGC alone has: aliases in one mutation, and errors in a 200."""

from __future__ import annotations

import pytest
from provider_cases import (
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

from bulkup.model.problems import ProblemKind
from bulkup.providers import FileSpec

MOVE, MAGIC_HOUR = the_case("move-ugc"), the_case("magic-hour")


def test_a_signature_of_version_4_takes_a_checksum() -> None:
    """It covers the headers it names and no other, so the bytes can be checked on arrival."""
    url = "https://s.example/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires=60&X-Amz-Signature=1"
    item = {**items_of(MAGIC_HOUR, "mp4")[0], "upload_url": url}
    assert presign(MAGIC_HOUR, answer_of(MAGIC_HOUR.answer([item])), specs_of(MAGIC_HOUR, "mp4"))[0].content_md5
    move = {**items_of(MOVE, "mp4")[0], "presignedUrl": url}
    assert not presign(MOVE, answer_of(MOVE.answer([move])), specs_of(MOVE, "mp4"))[0].content_md5


def test_a_url_that_tells_no_expiry_has_none() -> None:
    """Then storage's refusal is what tells."""
    item = {**items_of(MOVE, "mp4")[0], "presignedUrl": "https://s3.example/k?Signature=1"}
    assert presign(MOVE, answer_of(MOVE.answer([item])), specs_of(MOVE, "mp4"))[0].expires_at is None


def test_move_takes_any_extension_and_rejects_none_at_all() -> None:
    """`type` is all that the service wants to know, and it is required."""
    assert provider_of(MOVE).reject(specs_of(MOVE, "move")[0]) is None
    rejection = provider_of(MOVE).reject(FileSpec("README", "README", "", 1))
    assert rejection is not None
    assert "extension" in rejection.reason


def test_move_asks_with_an_alias_a_file_and_the_names_as_variables() -> None:
    """The query that the services' own page shows, for two files."""
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
def test_move_says_its_errors_in_a_200(error_type: object, kind: ProblemKind) -> None:
    """`errorType` beside `message` tells what it is, and earlier aliases may have been created all the same."""
    body = {"data": None, "errors": [{"path": ["f1"], "errorType": error_type, "message": "Sorry.", "errorInfo": None}]}
    problem = refusal(MOVE, answer_of(body))
    assert (problem.kind, problem.maybe_created) == (kind, True)
    assert "Sorry." in problem.message


@pytest.mark.parametrize("errors", ["oops", [None], ["oops"], {"message": "x"}, 7, [[]], [{}], [{"message": None}]])
def test_move_may_say_its_errors_in_any_shape(errors: object) -> None:
    """An error that cannot be read is one all the same, whatever data stands beside it."""
    body = {**MOVE.answer(items_of(MOVE, *MOVE.extensions)), "errors": errors}
    problem = refusal(MOVE, answer_of(body))
    assert (problem.kind, problem.maybe_created) == (ProblemKind.TRANSIENT, True)


@pytest.mark.parametrize("errors", [None, []])
def test_move_without_errors_is_a_success(errors: object) -> None:
    """An empty list of errors is none."""
    body = {**MOVE.answer(items_of(MOVE, "mp4")), "errors": errors}
    assert presign(MOVE, answer_of(body), specs_of(MOVE, "mp4"))


def test_move_data_for_other_aliases_is_refused() -> None:
    """The right number under the wrong names is not what was asked for."""
    items = items_of(MOVE, "mp4", "mp4")
    body = {"data": {"f0": items[0], "f2": items[1]}}
    assert refusal(MOVE, answer_of(body), specs_of(MOVE, "mp4", "mp4")).maybe_created
