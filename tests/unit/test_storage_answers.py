"""The meaning of storage's answers: each row of the table of error codes, and answers outside of it."""

from __future__ import annotations

import gzip
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.model.http import StorageAnswer
from bulkup.model.problems import OF_THE_HOST, ProblemKind
from bulkup.providers.storage_answers import classify_s3

# docs/contracts.md section 5: code, its statuses at S3 and OBS, the meaning here.
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
    (511, ProblemKind.TRANSIENT),
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


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
def test_a_redirect_without_a_code_is_a_problem_of_the_host(status: int) -> None:
    """A store names its code. A captive portal sends every file to its login page."""
    for body in (b"", b"<html><a href='/login'>Sign in</a></html>"):
        problem = classify_s3(StorageAnswer(status, {"location": "http://portal.example/"}, body), 0.0)
        assert problem is not None
        assert (problem.kind, problem.unanswered) == (ProblemKind.TRANSIENT, True)
    assert kind_of(status, document("NobodyKnowsThisCode")) is ProblemKind.FAILED


@pytest.mark.parametrize("status", [200, 201, 204])
def test_a_success_is_not_a_problem(status: int) -> None:
    """Without a body, or with one that is neither an error nor a web page."""
    assert kind_of(status) is None
    for body in (
        b"OK",
        b"<PostResponse><Key>Error</Key></PostResponse>",
        b'{"error": null, "size": 5}',
        b'{"errors":[]}',
        b'{"code": 0, "message": "stored", "success": true}',
        b'{"status": 200, "id": "error"}',
        b'{"kind": "storage#object", "size": "5"}',
        b"<CompleteMultipartUploadResult/>",
        b"[1]",
    ):
        assert kind_of(status, body) is None


ERROR_DOCUMENTS = [
    lambda text: text,
    lambda text: b"\xef\xbb\xbf \r\n" + text,
    lambda text: b" \n \n " + text,
    lambda text: text.replace(b"<Error>", b'<Error xmlns="http://s3.example/doc/2006-03-01/">'),
    lambda text: text.replace(b"<Error>", b"<!-- a comment --> <Error\n>"),
    lambda text: text.partition(b"\n")[2],
    lambda text: text.replace(b"\n", b"<?xml-stylesheet href='a'?><!DOCTYPE Error [<!ENTITY a 'b>'>]>\n"),
    lambda text: text.replace(b"Error>", b"s3:Error>"),
    lambda text: "\ufeff".encode("utf-16-le") + text.decode().encode("utf-16-le"),
    lambda text: text.decode().encode("utf-16-be"),
    gzip.compress,
    lambda text: b"<ErrorResponse>" + text.partition(b"\n")[2] + b"</ErrorResponse>",
]


@pytest.mark.parametrize("status", [200, 201, 204])
@pytest.mark.parametrize("form", ERROR_DOCUMENTS)
def test_an_error_document_overrides_a_success(status: int, form: Callable[[bytes], bytes]) -> None:
    """Its code decides as with the status of an error, in any form of writing."""
    for code, _, kind in ROWS:
        if kind is not ProblemKind.FAILED:
            assert kind_of(status, form(document(code))) is kind
    assert kind_of(status, form(document("AccessDenied", "Request has expired"))) is ProblemKind.EXPIRED
    assert kind_of(status, form(document("SignatureDoesNotMatch"))) is ProblemKind.FAILED
    assert kind_of(status, form(document("NobodyKnowsThisCode"))) is ProblemKind.TRANSIENT


@pytest.mark.parametrize(
    "body",
    [
        b"<Error/>",
        b"<Error></Error>",
        b'{"error": {"code": 5}}',
        b'{ "errors": ["no"] }',
        b'{"status": 500, "title": "Internal error"}',
        b'{"id": 1, "Error": "no"}',
        b'{"success": false}',
        b'{"code": "E5", "message": "It did not work."}',
        b'{"error": "' + b"x" * 9,  # cut off
        b"<soap:Envelope xmlns:soap='x'><soap:Body><soap:Fault/></soap:Body></soap:Envelope>",
    ],
)
def test_an_error_document_without_a_code_is_retried(body: bytes) -> None:
    assert kind_of(200, body) is ProblemKind.TRANSIENT


def test_the_message_of_an_error_document_after_a_success_has_its_code() -> None:
    problem = classify_s3(StorageAnswer(200, {}, document("InternalError", "Please try again.")), 0.0)
    assert problem is not None
    assert problem.message == "storage answered 200 InternalError: Please try again."


PAGES = [
    ({}, b"<html><body>Sign in</body></html>"),
    ({}, b"\xef\xbb\xbf\n<!DOCTYPE HTML PUBLIC '-//W3C//DTD HTML 4.01//EN'><HTML>"),
    ({}, b"<?xml version='1.0'?><!DOCTYPE html><html xmlns='http://www.w3.org/1999/xhtml'>"),
    ({}, b"<!-- portal --><html>"),
    ({"content-type": "text/html; charset=utf-8"}, b"<head><meta http-equiv='refresh'></head>"),
    ({}, b"<script>location = '/login'</script>"),
    ({}, b"\n<META http-equiv=refresh content=0>"),
    ({"content-encoding": "gzip"}, gzip.compress(b"<html>Sign in</html>", mtime=0)),
    ({"content-type": "text/html", "etag": '"5f3a1c-2d4"'}, b"<p>Sign in</p>"),
]


@pytest.mark.parametrize("status", [200, 201])
@pytest.mark.parametrize(("headers", "body"), PAGES)
def test_a_web_page_is_a_problem_of_the_host(status: int, headers: dict[str, str], body: bytes) -> None:
    """A captive portal or a login page answers it, for every file alike."""
    problem = classify_s3(StorageAnswer(status, headers, body), 0.0)
    assert problem is not None
    assert problem.kind in OF_THE_HOST
    assert "web page" in problem.message


def test_a_page_with_the_md5_of_a_body_is_verified_by_it() -> None:
    headers = {"content-type": "text/html", "etag": '"d41d8cd98f00b204e9800998ecf8427e"'}
    assert classify_s3(StorageAnswer(201, headers, b"<html>Created</html>"), 0.0) is None


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
    """Only a success can be no problem, and no body causes an error."""
    assert status in (200, 201, 204) or kind_of(status, body) is not None
