"""The meaning of storage's answers, for S3, OBS and compatible stores (docs/contracts.md section 5).

The code in the XML takes precedence over the status. S3 answers 400 for a request to repeat (RequestTimeout), and 403
for an expired URL, which a new one replaces. A store that fails late sends its error document after the status 200.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from bulkup.helpers.lazy_pattern import lazy_pattern
from bulkup.model.http import StorageAnswer, is_web_page, retry_after_seconds
from bulkup.model.problems import Problem, ProblemKind
from bulkup.providers.error_documents import code_and_message, is_error_document, is_part_of_page, plain_body

STORED = frozenset({200, 201, 204})
_GATEWAY = frozenset({502, 504, 511})  # the store itself did not answer
_FAILED_LATE = 500  # the status that an error document after the status 200 would have had

CODES = {
    "ExpiredToken": ProblemKind.EXPIRED,
    "TokenRefreshRequired": ProblemKind.EXPIRED,
    "ExpiredRequest": ProblemKind.EXPIRED,
    "AccessDenied": ProblemKind.REFUSED,
    "InvalidToken": ProblemKind.REFUSED,
    "NoSuchBucket": ProblemKind.REFUSED,
    "InvalidAccessKeyId": ProblemKind.REFUSED,
    "SignatureDoesNotMatch": ProblemKind.FAILED,
    "RequestTimeTooSkewed": ProblemKind.FAILED,
    "BadDigest": ProblemKind.MISMATCH,
    "XAmzContentChecksumMismatch": ProblemKind.MISMATCH,
    "InvalidDigest": ProblemKind.FAILED,
    "IncompleteBody": ProblemKind.TRANSIENT,
    "RequestTimeout": ProblemKind.TRANSIENT,
    "InternalError": ProblemKind.TRANSIENT,
    "EntityTooLarge": ProblemKind.FAILED,
    "EntityTooSmall": ProblemKind.FAILED,
    "MissingContentLength": ProblemKind.FAILED,
    "NotImplemented": ProblemKind.FAILED,
    "ServiceNotImplemented": ProblemKind.FAILED,
    "TooManyRequests": ProblemKind.THROTTLED,
    "SlowDown": ProblemKind.THROTTLED,
    "ServiceUnavailable": ProblemKind.THROTTLED,
}

_STATUSES = {
    401: ProblemKind.REFUSED,
    403: ProblemKind.REFUSED,
    404: ProblemKind.REFUSED,
    408: ProblemKind.TRANSIENT,
    410: ProblemKind.REFUSED,
    425: ProblemKind.TRANSIENT,
    429: ProblemKind.THROTTLED,
    501: ProblemKind.FAILED,
    503: ProblemKind.THROTTLED,
}

_ETAG = lazy_pattern(rb"<ETag>\s*(?:&quot;|&#34;|\")?([^<&\"\s]{1,128})")
_MD5 = lazy_pattern(r"(?:W/)?\"?[0-9a-f]{32}\"?", re.IGNORECASE)


def classify_s3(answer: StorageAnswer, now: float) -> Problem | None:
    """Return the problem in an answer, None if storage accepted the bytes. `now` is Unix time."""
    stored = answer.status in STORED
    if stored and not answer.body:
        return None
    body = plain_body(answer.body, answer.headers.get("content-encoding", ""))
    if stored and _is_foreign_page(answer, body):
        text = f"storage answered {answer.status} with a web page; is there a login page or a proxy on the way?"
        return Problem(ProblemKind.TRANSIENT, text, unanswered=True)
    if stored and not is_error_document(body):
        return None
    code, message = code_and_message(body)
    kind = _kind(_FAILED_LATE if stored else answer.status, code, message)
    said = f"{code}: {message}" if code and message else code or message or ("with an error document" if stored else "")
    text = f"storage answered {answer.status}" + (f" {said}" if said else "")
    unanswered = not code and (answer.status in _GATEWAY or _is_redirect(answer.status))
    return Problem(kind, text, retry_after_seconds(answer.headers, now), unanswered=unanswered)


def _is_foreign_page(answer: StorageAnswer, body: bytes) -> bool:
    """Return whether the answer is a web page, and so not the store's. One with an MD5 as ETag is verified by it."""
    page = is_web_page(answer.headers.get("content-type", ""), body) or is_part_of_page(body)
    return page and not _MD5.fullmatch(answer.headers.get("etag", "").strip())


def form_evidence(answer: StorageAnswer) -> Mapping[str, str]:
    """Return the headers of the answer to a form, with the ETag of its document.

    A 201 contains `<PostResponse>` with an ETag, in quotes or without (docs/contracts.md section 4, "201 body"). ETags
    that differ are joined, as those of a repeated header.
    """
    stated = [found.decode("utf-8", "replace") for found in _ETAG.findall(answer.body)] if answer.status == 201 else []
    if not stated:
        return answer.headers
    header = [answer.headers["etag"]] if "etag" in answer.headers else []
    return {**answer.headers, "etag": ", ".join(dict.fromkeys([*header, *stated]))}


def _kind(status: int, code: str, message: str) -> ProblemKind:
    if code == "AccessDenied" and "expired" in message.lower():
        return ProblemKind.EXPIRED
    if code in CODES:
        return CODES[code]
    if status in _STATUSES:
        return _STATUSES[status]
    if _is_redirect(status) and not code:  # stores name a code; a login page on the way does not
        return ProblemKind.TRANSIENT
    return ProblemKind.TRANSIENT if status >= 500 else ProblemKind.FAILED


def _is_redirect(status: int) -> bool:
    return 300 <= status < 400
