"""What storage's answer means, for S3, OBS and what is like them (contracts.md section 5).

The XML code decides before the status does: S3 answers 400 for what is to be repeated (RequestTimeout) and 403 for what
a new URL mends (an expired one).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from bulkup.messages import Kind, Problem
from bulkup.wire import StorageAnswer, retry_after_seconds

STORED = frozenset({200, 201, 204})

_CODES = {
    "ExpiredToken": Kind.EXPIRED,
    "TokenRefreshRequired": Kind.EXPIRED,
    "InvalidToken": Kind.REFUSED,
    "NoSuchBucket": Kind.REFUSED,
    "InvalidAccessKeyId": Kind.REFUSED,
    "SignatureDoesNotMatch": Kind.FAILED,
    "RequestTimeTooSkewed": Kind.FAILED,
    "BadDigest": Kind.MISMATCH,
    "XAmzContentChecksumMismatch": Kind.MISMATCH,
    "InvalidDigest": Kind.FAILED,
    "IncompleteBody": Kind.TRANSIENT,
    "RequestTimeout": Kind.TRANSIENT,
    "InternalError": Kind.TRANSIENT,
    "EntityTooLarge": Kind.FAILED,
    "EntityTooSmall": Kind.FAILED,
    "MissingContentLength": Kind.FAILED,
    "NotImplemented": Kind.FAILED,
    "ServiceNotImplemented": Kind.FAILED,
    "TooManyRequests": Kind.THROTTLED,
    "SlowDown": Kind.THROTTLED,
    "ServiceUnavailable": Kind.THROTTLED,
}

_STATUSES = {
    401: Kind.REFUSED,
    403: Kind.REFUSED,
    404: Kind.REFUSED,
    408: Kind.TRANSIENT,
    410: Kind.REFUSED,
    425: Kind.TRANSIENT,
    429: Kind.THROTTLED,
    501: Kind.FAILED,
    503: Kind.THROTTLED,
}

# Four elements of a document that is cut to 64 KiB: a pattern is enough, and has no entities to expand.
_CODE = re.compile(rb"<Code>\s*([A-Za-z0-9.]{1,64})\s*</Code>")
_ETAG = re.compile(rb"<ETag>\s*(?:&quot;|&#34;|\")?([^<&\"\s]{1,128})")
_MESSAGE = re.compile(rb"<Message>([^<]{1,512})")


def classify_s3(answer: StorageAnswer, now: float) -> Problem | None:
    """Return what is wrong, None when storage took the bytes. `now` is Unix time."""
    if answer.status in STORED:
        return None
    code, message = _first(_CODE, answer.body), _first(_MESSAGE, answer.body)
    kind = _kind(answer.status, code, message)
    said = f"{code}: {message}" if code and message else code or message
    text = f"storage answered {answer.status}" + (f" {said}" if said else "")
    return Problem(kind, text, retry_after_seconds(answer.headers, now))


def form_evidence(answer: StorageAnswer) -> Mapping[str, str]:
    """Return the headers of an answer to a form, with the ETag of its document where they have none of their own.

    A 201 brings `<PostResponse>` with an ETag, in quotes or without (contracts.md section 4, "201 body").
    """
    etag = _first(_ETAG, answer.body) if answer.status == 201 and "etag" not in answer.headers else ""
    return {**answer.headers, "etag": etag} if etag else answer.headers


def _kind(status: int, code: str, message: str) -> Kind:
    if code == "AccessDenied" and "expired" in message.lower():
        return Kind.EXPIRED
    if code in _CODES:
        return _CODES[code]
    if status in _STATUSES:
        return _STATUSES[status]
    return Kind.TRANSIENT if status >= 500 else Kind.FAILED


def _first(pattern: re.Pattern[bytes], body: bytes) -> str:
    found = pattern.search(body)
    return found.group(1).decode("utf-8", "replace") if found else ""
