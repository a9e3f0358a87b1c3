"""The meaning of storage's answers: each row of the table of error codes, and answers outside of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.model.http import StorageAnswer
from bulkup.model.problems import ProblemKind
from bulkup.providers.storage_answers import classify_s3

# docs/contracts.md section 5: code, the statuses it comes with at S3 and OBS, what it means here.
CODES = [
    ("ExpiredToken", (400,), ProblemKind.EXPIRED),
    ("TokenRefreshRequired", (400,), ProblemKind.EXPIRED),
    ("InvalidToken", (400,), ProblemKind.REFUSED),
    ("AccessDenied", (403,), ProblemKind.REFUSED),
    ("SignatureDoesNotMatch", (403,), ProblemKind.FAILED),
    ("RequestTimeTooSkewed", (403,), ProblemKind.FAILED),
    ("BadDigest", (400,), ProblemKind.MISMATCH),
    ("InvalidDigest", (400,), ProblemKind.FAILED),
    ("IncompleteBody", (400,), ProblemKind.TRANSIENT),
    ("RequestTimeout", (400, 408), ProblemKind.TRANSIENT),
    ("EntityTooLarge", (400,), ProblemKind.FAILED),
    ("EntityTooSmall", (400,), ProblemKind.FAILED),
    ("MalformedPOSTRequest", (400,), ProblemKind.FAILED),
    ("InvalidPolicyDocument", (400,), ProblemKind.FAILED),
    ("MaxPostPreDataLengthExceededError", (400,), ProblemKind.FAILED),
    ("IncorrectNumberOfFilesInPostRequest", (400,), ProblemKind.FAILED),
    ("UserKeyMustBeSpecified", (400,), ProblemKind.FAILED),
    ("MissingContentLength", (411,), ProblemKind.FAILED),
    ("NotImplemented", (501,), ProblemKind.FAILED),
    ("ServiceNotImplemented", (501,), ProblemKind.FAILED),
    ("TooManyRequests", (429,), ProblemKind.THROTTLED),
    ("SlowDown", (503,), ProblemKind.THROTTLED),
    ("ServiceUnavailable", (503,), ProblemKind.THROTTLED),
    ("InternalError", (500,), ProblemKind.TRANSIENT),
    ("PermanentRedirect", (301,), ProblemKind.FAILED),
    ("TemporaryRedirect", (307,), ProblemKind.FAILED),  # transport follows those that say where to
    ("NoSuchBucket", (404,), ProblemKind.REFUSED),
    ("InvalidAccessKeyId", (403, 404), ProblemKind.REFUSED),
]
ROWS = [(code, status, kind) for code, statuses, kind in CODES for status in statuses]
WITHOUT_CODE = [
    (301, ProblemKind.FAILED),
    (307, ProblemKind.FAILED),
    (400, ProblemKind.FAILED),
    (401, ProblemKind.REFUSED),
    (403, ProblemKind.REFUSED),
    (404, ProblemKind.REFUSED),
    (408, ProblemKind.TRANSIENT),
    (410, ProblemKind.REFUSED),
    (411, ProblemKind.FAILED),
    (418, ProblemKind.FAILED),
    (425, ProblemKind.TRANSIENT),
    (429, ProblemKind.THROTTLED),
    (500, ProblemKind.TRANSIENT),
    (501, ProblemKind.FAILED),
    (502, ProblemKind.TRANSIENT),
    (503, ProblemKind.THROTTLED),
    (504, ProblemKind.TRANSIENT),
    (599, ProblemKind.TRANSIENT),
]


def document(code: str, message: str = "Something.") -> bytes:
    text = '<?xml version="1.0" encoding="UTF-8"?>\n'
    text += f"<Error><Code>{code}</Code><Message>{message}</Message><Resource>/b/k</Resource>"
    text += "<RequestId>4442587FB7D0A2F9</RequestId><HostId>x</HostId></Error>"
    return text.encode()


def kind_of(status: int, body: bytes = b"") -> ProblemKind | None:
    problem = classify_s3(StorageAnswer(status, {}, body), 0.0)
    return problem.kind if problem is not None else None


@pytest.mark.parametrize(("code", "status", "kind"), ROWS)
def test_every_code_of_the_table_has_its_meaning(code: str, status: int, kind: ProblemKind) -> None:
    """The code decides, with the status that is documented for it."""
    assert kind_of(status, document(code)) is kind


@pytest.mark.parametrize(("status", "kind"), WITHOUT_CODE)
def test_without_a_code_the_status_decides(status: int, kind: ProblemKind) -> None:
    """As in an empty answer or that of a proxy."""
    assert kind_of(status) is kind
    assert kind_of(status, b"<html><h1>Something</h1></html>") is kind
    assert kind_of(status, document("NobodyKnowsThisCode")) is kind


@pytest.mark.parametrize("status", [200, 201, 204])
def test_a_success_is_not_a_problem(status: int) -> None:
    """With any body."""
    assert kind_of(status) is None
    assert kind_of(status, document("InternalError")) is None


@pytest.mark.parametrize(
    "message", ["Request has expired", "Invalid according to Policy: Policy expired.", "Request has EXPIRED."]
)
def test_an_expired_url_differs_from_other_refusals(message: str) -> None:
    """S3 answers both with AccessDenied and 403. Only the message differs, and only an expired URL is renewed."""
    assert kind_of(403, document("AccessDenied", message)) is ProblemKind.EXPIRED
    assert kind_of(403, document("AccessDenied", "Access Denied")) is ProblemKind.REFUSED


def test_the_word_expired_counts_only_with_access_denied() -> None:
    assert kind_of(403, document("SignatureDoesNotMatch", "expired")) is ProblemKind.FAILED


def test_a_redirect_without_a_location_is_final() -> None:
    """The transport follows a 307 only with a Location."""
    assert kind_of(307, document("TemporaryRedirect")) is ProblemKind.FAILED


def test_the_message_has_status_code_and_text() -> None:
    """And nothing of the URL."""
    problem = classify_s3(StorageAnswer(403, {}, document("SignatureDoesNotMatch", "Check your key.")), 0.0)
    assert problem is not None
    assert problem.message == "storage answered 403 SignatureDoesNotMatch: Check your key."


def test_a_signature_in_the_answer_is_not_in_the_message() -> None:
    """S3 quotes the signature in other elements, which are not shown."""
    body = document("SignatureDoesNotMatch").replace(
        b"<Resource>", b"<SignatureProvided>S3CRET</SignatureProvided><Resource>"
    )
    assert "S3CRET" not in str(classify_s3(StorageAnswer(403, {}, body), 0.0))


def test_a_long_message_is_cut() -> None:
    """An answer of 64 KiB does not become a log line of 64 KiB."""
    problem = classify_s3(StorageAnswer(400, {}, document("InvalidDigest", "x" * 60_000)), 0.0)
    assert problem is not None
    assert len(problem.message) < 700


@given(st.integers(100, 599), st.binary(max_size=300))
def test_any_answer_has_a_meaning(status: int, body: bytes) -> None:
    """Only a success is no problem, and no body causes an error."""
    assert (kind_of(status, body) is None) == (status in (200, 201, 204))
