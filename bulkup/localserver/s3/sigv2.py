"""Presigned URLs of S3 signature version 2 (docs/contracts.md section 5): `AWSAccessKeyId`, `Expires`, `Signature`.

The string to sign contains the *values* of Content-MD5 and Content-Type. A request must send exactly the values that
the URL was signed with. If they were empty, it must not send these headers. A parameter named `x-amz-...` is signed
like the header of that name, as other presigners do. So the session token of temporary credentials is signed too.

OBS uses the same signature, with `AccessKeyId` for the id of the key and its own headers `x-obs-...`.
"""

from __future__ import annotations

import base64
import hmac
import math
import re
from collections.abc import Mapping
from typing import Final

from bulkup.helpers.quick_dataclass import dataclass
from bulkup.localserver.s3 import s3_errors
from bulkup.localserver.signing_types import ReceivedRequest, ServerOrigin, SigningKey, encoded_path, encoded_query

_TOKEN = "x-amz-security-token"  # noqa: S105 - the name of a header
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


@dataclass(frozen=True, slots=True)
class Dialect:
    """The differences between S3 and OBS: the parameter with the key's id, and the prefixes of signed headers."""

    key_parameter: str
    prefixes: tuple[str, ...]


S3: Final = Dialect("AWSAccessKeyId", ("x-amz-",))
OBS: Final = Dialect("AccessKeyId", ("x-amz-", "x-obs-"))


def presign(method: str, origin: ServerOrigin, key: str, signing: SigningKey, expires: float) -> str:
    """Return a URL for `method` on the object `key`, valid until `expires` (Unix time, rounded up to whole seconds)."""
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


def presign_obs(
    origin: ServerOrigin,
    key: str,
    signing: SigningKey,
    expires: float,
    *,
    md5: str = "",
    content_type: str = "",
    part: Mapping[str, str] | None = None,
) -> str:
    """Return an OBS URL for a PUT of the object `key`, valid until `expires` (Unix time, rounded up).

    The PUT must send exactly these values of Content-MD5 (Base64) and Content-Type. An empty value means that the
    header must not be sent. `part` is `{"partNumber": N, "uploadId": ID}` for a part of the object, and is signed too.
    """
    path = encoded_path(key)
    deadline = str(math.ceil(expires))
    sub_resource = "?" + "&".join(f"{name}={value}" for name, value in sorted(part.items())) if part else ""
    text = f"PUT\n{md5}\n{content_type}\n{deadline}\n{path}{sub_resource}"
    query = {
        **(part or {}),
        OBS.key_parameter: signing.permanent_id,
        "Expires": deadline,
        "Signature": signature(signing.secret, text),
    }
    return origin.url(path, encoded_query(query))


def verify(request: ReceivedRequest, signing: SigningKey, now: float) -> None:
    """Raise S3Error unless the signature matches the request and has not expired at `now` (Unix time)."""
    given, id_parameter = request.parameters, _dialect(request).key_parameter
    if not {id_parameter, "Expires", "Signature"} <= given.keys():
        raise s3_errors.access_denied(
            f"Query-string authentication requires the Signature, Expires and {id_parameter} parameters"
        )
    if not signing.knows(given[id_parameter]):
        raise s3_errors.unknown_access_key()
    _check_expiry(given["Expires"], now)
    expected = signature(signing.secret, string_to_sign(request))
    if not hmac.compare_digest(expected.encode(), given["Signature"].encode()):
        raise s3_errors.signature_does_not_match()


def signature(secret: str, text: str) -> str:
    """Return Base64(HMAC-SHA1) of the string to sign."""
    return base64.b64encode(hmac.digest(secret.encode(), text.encode("utf-8", "surrogateescape"), "sha1")).decode(
        "ascii"
    )


def string_to_sign(request: ReceivedRequest) -> str:
    """Return the string to sign of a request."""
    headers = request.headers
    positional = [request.method, headers.get("content-md5", ""), headers.get("content-type", "")]
    lines = [*positional, request.parameters.get("Expires", ""), *_vendor_headers(request)]
    return "\n".join([*lines, request.raw_path + _sub_resources(request)])


def _check_expiry(expires: str, now: float) -> None:
    if not re.fullmatch(r"[0-9]{1,11}", expires):
        raise s3_errors.access_denied("Invalid date (should be seconds since epoch)")
    if now > int(expires):
        raise s3_errors.request_expired(int(expires), now)


def _dialect(request: ReceivedRequest) -> Dialect:
    parameters = request.parameters
    return OBS if OBS.key_parameter in parameters and S3.key_parameter not in parameters else S3


def _vendor_headers(request: ReceivedRequest) -> list[str]:
    prefixes = _dialect(request).prefixes
    both = [*request.headers.items(), *((name.lower(), value) for name, value in request.query)]
    named = sorted((name, value.strip()) for name, value in both if name.startswith(prefixes))
    return [f"{name}:{value}" for name, value in named]


def _sub_resources(request: ReceivedRequest) -> str:
    named = sorted(pair for pair in request.query if pair[0] in _SUB_RESOURCES)
    return "?" + "&".join(f"{name}={value}" if value else name for name, value in named) if named else ""
