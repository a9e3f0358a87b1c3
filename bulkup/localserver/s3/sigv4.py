"""Presigned URLs of S3 signature version 4 (docs/contracts.md section 5): `X-Amz-*`, the payload unsigned.

The signature covers the headers that X-Amz-SignedHeaders names. In this server's URLs that is only `host`, so a client
may send any Content-Type and Content-MD5. Headers `x-amz-*` change the meaning of a request; if sent, they must be
signed.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import unquote

from bulkup.localserver.s3 import s3_errors
from bulkup.localserver.s3.s3_errors import S3Error
from bulkup.localserver.signing_types import ReceivedRequest, ServerOrigin, SigningKey, encoded_path, encoded_query

ALGORITHM = "AWS4-HMAC-SHA256"
REGION = "us-east-1"
MAX_EXPIRES = 604800
CLOCK_SKEW = 900  # seconds that the signing clock may be ahead

_AUTHORIZATION = re.compile(
    rf"{ALGORITHM} Credential=(?P<credential>[^,\s]+), SignedHeaders=(?P<names>[a-z0-9;-]+), "
    r"Signature=(?P<signature>[0-9a-f]{64})"
)
_SCOPE_PARTS = 4  # of a credential, behind the access key, which may have slashes itself
_REQUIRED = frozenset(
    f"X-Amz-{name}" for name in ("Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature")
)


def presign(method: str, origin: ServerOrigin, key: str, signing: SigningKey, signed_at: float, ttl: int) -> str:
    """Return a URL for `method` on the object `key`, valid for `ttl` seconds from `signed_at` (Unix time).

    The date in a URL has whole seconds. It is rounded up, so that the URL is valid for at least `ttl` seconds.
    """
    stamp = _stamp(math.ceil(signed_at))
    path = encoded_path(key)
    query = encoded_query(
        {
            "X-Amz-Algorithm": ALGORITHM,
            "X-Amz-Credential": f"{signing.permanent_id}/{_scope(stamp[:8])}",
            "X-Amz-Date": stamp,
            "X-Amz-Expires": str(ttl),
            "X-Amz-SignedHeaders": "host",
        }
    )
    canonical = f"{method}\n{path}\n{query}\nhost:{origin.host}\n\nhost\nUNSIGNED-PAYLOAD"
    return origin.url(path, f"{query}&X-Amz-Signature={signature(signing.secret, stamp, canonical)}")


def verify(request: ReceivedRequest, keys: Sequence[SigningKey], now: float) -> None:
    """Raise S3Error unless the signature matches the request and has not expired at `now` (Unix time).

    It may be by any of the keys. The first is the store's own, which has no token in version 4.
    """
    given = request.parameters
    _check_parameters(request)
    signing = _key_of(given["X-Amz-Credential"], given["X-Amz-Date"][:8], keys)
    if signing is not keys[0]:
        _check_token(given.get("X-Amz-Security-Token"), signing)
    _check_time(given["X-Amz-Date"], given["X-Amz-Expires"], now)
    _check_headers(request)
    expected = signature(signing.secret, given["X-Amz-Date"], canonical_request(request))
    if not hmac.compare_digest(expected.encode(), given["X-Amz-Signature"].encode()):
        raise s3_errors.signature_does_not_match()


def in_header(request: ReceivedRequest) -> bool:
    """Return whether the Authorization header has a signature of version 4."""
    return request.headers.get("authorization", "").startswith(f"{ALGORITHM} ")


def verify_header(request: ReceivedRequest, keys: Sequence[SigningKey], now: float, body: bytes) -> None:
    """Raise S3Error unless the Authorization header has a valid signature of the request at `now` (Unix time)."""
    found = _AUTHORIZATION.fullmatch(request.headers["authorization"])
    stamp = request.headers.get("x-amz-date", "")
    if found is None:
        raise s3_errors.access_denied()
    if abs(_read_stamp(stamp) - now) > CLOCK_SKEW:
        said = "The difference between the request time and the current time is too large."
        raise S3Error(403, "RequestTimeTooSkewed", said)
    signing = _key_of(found["credential"], stamp[:8], keys)
    _check_token(request.headers.get("x-amz-security-token"), signing)
    payload = hashlib.sha256(body).hexdigest()
    if request.headers.get("x-amz-content-sha256") != payload:
        raise S3Error(400, "XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match.")
    expected = signature(signing.secret, stamp, canonical_request(request, found["names"], payload))
    if not hmac.compare_digest(expected, found["signature"]):
        raise s3_errors.signature_does_not_match()


def canonical_request(request: ReceivedRequest, names: str | None = None, payload: str = "UNSIGNED-PAYLOAD") -> str:
    """Return the canonical form of a request. `names` are the signed headers, None for those that its URL names."""
    names = request.parameters["X-Amz-SignedHeaders"] if names is None else names
    headers = "".join(f"{name}:{_trimmed(request.headers.get(name, ''))}\n" for name in names.split(";"))
    return "\n".join([request.method, _path(request), _query(request), headers, names, payload])


def _path(request: ReceivedRequest) -> str:
    return encoded_path(unquote(request.raw_path[1:]))


def _query(request: ReceivedRequest) -> str:
    # Sorted after encoding, as the specification demands: plain names can have another order.
    pairs = encoded_query(tuple(pair for pair in request.query if pair[0] != "X-Amz-Signature"))
    return "&".join(sorted(pairs.split("&"), key=lambda pair: pair.split("=", 1)))


def _check_parameters(request: ReceivedRequest) -> None:
    given = request.parameters
    if not given.keys() >= _REQUIRED:
        raise _malformed(
            f"Query-string authentication version 4 requires the {', '.join(sorted(_REQUIRED))} parameters."
        )
    if given["X-Amz-Algorithm"] != ALGORITHM:
        raise _malformed(f'X-Amz-Algorithm only supports "{ALGORITHM}"')
    if "host" not in given["X-Amz-SignedHeaders"].split(";"):
        raise _malformed("X-Amz-SignedHeaders must name host")


def _key_of(credential: str, date: str, keys: Sequence[SigningKey]) -> SigningKey:
    parts = credential.split("/")
    end = max(1, len(parts) - _SCOPE_PARTS)
    access_key_id, scope = "/".join(parts[:end]), "/".join(parts[end:])
    signing = next((key for key in keys if key.knows(access_key_id)), None)
    if signing is None:
        raise s3_errors.unknown_access_key()
    if scope != _scope(date):
        raise _malformed(f"Error parsing the X-Amz-Credential parameter; the scope must be {_scope('<date>')}")
    return signing


def _check_token(token: str | None, signing: SigningKey) -> None:
    if token is not None and signing.has_ended(token):
        raise s3_errors.expired_token()
    if token is not None and not hmac.compare_digest(token.encode(), signing.session_token.encode()):
        raise s3_errors.invalid_token()


def _check_time(date: str, expires: str, now: float) -> None:
    signed_at = _read_stamp(date)
    if not (re.fullmatch(r"[0-9]{1,6}", expires) and 1 <= int(expires) <= MAX_EXPIRES):
        raise _malformed(f"X-Amz-Expires must be a number from 1 to {MAX_EXPIRES}")
    if signed_at > now + CLOCK_SKEW:
        raise s3_errors.access_denied("Request is not yet valid")
    if now > signed_at + int(expires):
        raise s3_errors.request_expired(signed_at + int(expires), now, **{"X-Amz-Expires": expires})


def _check_headers(request: ReceivedRequest) -> None:
    signed = request.parameters["X-Amz-SignedHeaders"].split(";")
    loose = sorted(name for name in request.headers if name.startswith("x-amz-") and name not in signed)
    if loose:
        raise s3_errors.access_denied(
            "There were headers present in the request which were not signed", HeadersNotSigned=", ".join(loose)
        )


def signature(secret: str, stamp: str, canonical: str) -> str:
    """Return the signature of a canonical request, in hex; `stamp` is its X-Amz-Date."""
    digest = hashlib.sha256(canonical.encode("utf-8", "surrogateescape")).hexdigest()
    text = f"{ALGORITHM}\n{stamp}\n{_scope(stamp[:8])}\n{digest}"
    return hmac.digest(_derived_key(secret, stamp[:8]), text.encode(), "sha256").hex()


@lru_cache(maxsize=8)
def _derived_key(secret: str, date: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (date, REGION, "s3", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def _scope(date: str) -> str:
    return f"{date}/{REGION}/s3/aws4_request"


@lru_cache(maxsize=64)
def _stamp(moment: int) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y%m%dT%H%M%SZ")


@lru_cache(maxsize=64)
def _read_stamp(text: str) -> float:
    try:
        return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise _malformed("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"") from None


def _trimmed(value: str) -> str:
    return " ".join(value.split())


def _malformed(message: str) -> s3_errors.S3Error:
    return s3_errors.S3Error(400, "AuthorizationQueryParametersError", message)
