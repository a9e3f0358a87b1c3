"""Presigned URLs of S3 signature version 2 (contracts.md section 5): `AWSAccessKeyId`, `Expires`, `Signature`.

The string signed holds the *values* of Content-MD5 and Content-Type. They are empty in our URLs, so a request that
sends either one does not match. A parameter named `x-amz-...` stands for the header of that name and is signed as one:
so do the presigners of the field, and so the session token of temporary credentials is covered.
"""

from __future__ import annotations

import base64
import hmac
import math
import re

from bulkup.localserver import s3errors
from bulkup.localserver.presigned import Origin, SigningKey, StoreRequest, encoded_path, encoded_query

_TOKEN = "x-amz-security-token"  # noqa: S105 - a name
_SUB_RESOURCES = frozenset(
    {
        "acl",
        "cors",
        "delete",
        "lifecycle",
        "location",
        "logging",
        "notification",
        "partNumber",
        "policy",
        "requestPayment",
        "restore",
        "tagging",
        "torrent",
        "uploadId",
        "uploads",
        "versionId",
        "versioning",
        "versions",
        "website",
        "response-cache-control",
        "response-content-disposition",
        "response-content-encoding",
        "response-content-language",
        "response-content-type",
        "response-expires",
    }
)


def presign(method: str, origin: Origin, key: str, signing: SigningKey, expires: float) -> str:
    """Return a URL for `method` on the object `key`, good until `expires` (Unix time, rounded up to whole seconds)."""
    path = encoded_path(key)
    deadline = str(math.ceil(expires))
    text = f"{method}\n\n\n{deadline}\n{_TOKEN}:{signing.session_token}\n{path}"
    query = {
        "AWSAccessKeyId": signing.temporary_id,
        "Signature": signature(signing.secret, text),
        _TOKEN: signing.session_token,
        "Expires": deadline,
    }
    return origin.url(path, encoded_query(query))


def verify(request: StoreRequest, signing: SigningKey, now: float) -> None:
    """Raise S3Error unless the request is what was signed and has not expired at `now` (Unix time)."""
    given = request.parameters
    if not {"AWSAccessKeyId", "Expires", "Signature"} <= given.keys():
        raise s3errors.access_denied(
            "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters"
        )
    if not signing.knows(given["AWSAccessKeyId"]):
        raise s3errors.unknown_access_key()
    _check_expiry(given["Expires"], now)
    expected = signature(signing.secret, string_to_sign(request))
    if not hmac.compare_digest(expected.encode(), given["Signature"].encode()):
        raise s3errors.signature_does_not_match()


def signature(secret: str, text: str) -> str:
    """Return Base64(HMAC-SHA1) of the string to sign."""
    return base64.b64encode(hmac.digest(secret.encode(), text.encode("utf-8", "surrogateescape"), "sha1")).decode(
        "ascii"
    )


def string_to_sign(request: StoreRequest) -> str:
    """Return what the signature of this request must cover."""
    headers = request.headers
    positional = [request.method, headers.get("content-md5", ""), headers.get("content-type", "")]
    lines = [*positional, request.parameters.get("Expires", ""), *_amz_headers(request)]
    return "\n".join([*lines, request.raw_path + _sub_resources(request)])


def _check_expiry(expires: str, now: float) -> None:
    if not re.fullmatch(r"[0-9]{1,11}", expires):
        raise s3errors.access_denied("Invalid date (should be seconds since epoch)")
    if now > int(expires):
        raise s3errors.expired(int(expires), now)


def _amz_headers(request: StoreRequest) -> list[str]:
    both = [*request.headers.items(), *((name.lower(), value) for name, value in request.query)]
    named = sorted((name, value.strip()) for name, value in both if name.startswith("x-amz-"))
    return [f"{name}:{value}" for name, value in named]


def _sub_resources(request: StoreRequest) -> str:
    named = sorted(pair for pair in request.query if pair[0] in _SUB_RESOURCES)
    return "?" + "&".join(f"{name}={value}" if value else name for name, value in named) if named else ""
