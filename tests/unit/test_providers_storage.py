"""What storage's answers mean: every row of the table of error codes, and what is in no table."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.messages import Kind
from bulkup.providers.storage import classify_s3
from bulkup.wire import StorageAnswer

# contracts.md section 5: code, the statuses it comes with at S3 and OBS, what it means here.
CODES = [
    ("ExpiredToken", (400,), Kind.EXPIRED),
    ("TokenRefreshRequired", (400,), Kind.EXPIRED),
    ("InvalidToken", (400,), Kind.REFUSED),
    ("AccessDenied", (403,), Kind.REFUSED),
    ("SignatureDoesNotMatch", (403,), Kind.FAILED),
    ("RequestTimeTooSkewed", (403,), Kind.FAILED),
    ("BadDigest", (400,), Kind.MISMATCH),
    ("InvalidDigest", (400,), Kind.FAILED),
    ("IncompleteBody", (400,), Kind.TRANSIENT),
    ("RequestTimeout", (400, 408), Kind.TRANSIENT),
    ("EntityTooLarge", (400,), Kind.FAILED),
    ("EntityTooSmall", (400,), Kind.FAILED),
    ("MalformedPOSTRequest", (400,), Kind.FAILED),
    ("InvalidPolicyDocument", (400,), Kind.FAILED),
    ("MaxPostPreDataLengthExceededError", (400,), Kind.FAILED),
    ("IncorrectNumberOfFilesInPostRequest", (400,), Kind.FAILED),
    ("UserKeyMustBeSpecified", (400,), Kind.FAILED),
    ("MissingContentLength", (411,), Kind.FAILED),
    ("NotImplemented", (501,), Kind.FAILED),
    ("ServiceNotImplemented", (501,), Kind.FAILED),
    ("TooManyRequests", (429,), Kind.THROTTLED),
    ("SlowDown", (503,), Kind.THROTTLED),
    ("ServiceUnavailable", (503,), Kind.THROTTLED),
    ("InternalError", (500,), Kind.TRANSIENT),
    ("PermanentRedirect", (301,), Kind.FAILED),
    ("TemporaryRedirect", (307,), Kind.FAILED),  # transport follows those that say where to
    ("NoSuchBucket", (404,), Kind.REFUSED),
    ("InvalidAccessKeyId", (403, 404), Kind.REFUSED),
]
ROWS = [(code, status, kind) for code, statuses, kind in CODES for status in statuses]
WITHOUT_CODE = [
    (301, Kind.FAILED),
    (307, Kind.FAILED),
    (400, Kind.FAILED),
    (401, Kind.REFUSED),
    (403, Kind.REFUSED),
    (404, Kind.REFUSED),
    (408, Kind.TRANSIENT),
    (410, Kind.REFUSED),
    (411, Kind.FAILED),
    (418, Kind.FAILED),
    (425, Kind.TRANSIENT),
    (429, Kind.THROTTLED),
    (500, Kind.TRANSIENT),
    (501, Kind.FAILED),
    (502, Kind.TRANSIENT),
    (503, Kind.THROTTLED),
    (504, Kind.TRANSIENT),
    (599, Kind.TRANSIENT),
]


def document(code: str, message: str = "Something.") -> bytes:
    text = '<?xml version="1.0" encoding="UTF-8"?>\n'
    text += f"<Error><Code>{code}</Code><Message>{message}</Message><Resource>/b/k</Resource>"
    text += "<RequestId>4442587FB7D0A2F9</RequestId><HostId>x</HostId></Error>"
    return text.encode()


def kind_of(status: int, body: bytes = b"") -> Kind | None:
    problem = classify_s3(StorageAnswer(status, {}, body), 0.0)
    return problem.kind if problem is not None else None


@pytest.mark.parametrize(("code", "status", "kind"), ROWS)
def test_every_code_of_the_table_has_its_meaning(code: str, status: int, kind: Kind) -> None:
    """The code decides what comes next, with the status it is documented with."""
    assert kind_of(status, document(code)) is kind


@pytest.mark.parametrize(("status", "kind"), WITHOUT_CODE)
def test_without_a_code_the_status_decides(status: int, kind: Kind) -> None:
    """A proxy's answer, or an empty one, is judged by its status."""
    assert kind_of(status) is kind
    assert kind_of(status, b"<html><h1>Something</h1></html>") is kind
    assert kind_of(status, document("NobodyKnowsThisCode")) is kind


@pytest.mark.parametrize("status", [200, 201, 204])
def test_success_is_no_problem(status: int) -> None:
    """Whatever the body says beside it."""
    assert kind_of(status) is None
    assert kind_of(status, document("InternalError")) is None


@pytest.mark.parametrize(
    "message", ["Request has expired", "Invalid according to Policy: Policy expired.", "Request has EXPIRED."]
)
def test_an_expired_url_is_told_from_other_refusals(message: str) -> None:
    """S3 says both with AccessDenied and 403: only the text tells, and a new URL mends it."""
    assert kind_of(403, document("AccessDenied", message)) is Kind.EXPIRED
    assert kind_of(403, document("AccessDenied", "Access Denied")) is Kind.REFUSED


def test_the_word_expired_alone_does_not_make_a_new_url_worth_asking_for() -> None:
    """It counts beside AccessDenied only."""
    assert kind_of(403, document("SignatureDoesNotMatch", "expired")) is Kind.FAILED


def test_a_temporary_redirect_without_a_place_to_go_is_final() -> None:
    """Transport follows a 307 with a Location; one without leads nowhere."""
    assert kind_of(307, document("TemporaryRedirect")) is Kind.FAILED


def test_the_message_says_status_code_and_text() -> None:
    """Enough to look it up, and nothing of the URL."""
    problem = classify_s3(StorageAnswer(403, {}, document("SignatureDoesNotMatch", "Check your key.")), 0.0)
    assert problem is not None
    assert problem.message == "storage answered 403 SignatureDoesNotMatch: Check your key."


def test_a_signature_that_storage_repeats_is_not_taken_over() -> None:
    """S3 quotes what it signed and was sent in elements of their own, and none of those is shown."""
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
def test_no_answer_is_without_a_meaning(status: int, body: bytes) -> None:
    """Only success is no problem, and no body breaks the reading."""
    assert (kind_of(status, body) is None) == (status in (200, 201, 204))
