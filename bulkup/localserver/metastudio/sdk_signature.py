"""Verifies signatures of API calls, `SDK-HMAC-SHA256` (docs/contracts.md section 3, steps 1 to 8)."""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final
from urllib.parse import quote, unquote_to_bytes

from bulkup.helpers.quick_dataclass import dataclass
from bulkup.localserver.signing_types import ReceivedRequest, encoded_query

ALGORITHM = "SDK-HMAC-SHA256"
CLOCK_SKEW = 900  # seconds that the client's clock may be off either way

_DATE = "x-sdk-date"
_CONTENT = "x-sdk-content-sha256"
_UNSIGNED = "UNSIGNED-PAYLOAD"
_EMPTY: Final = hashlib.sha256(b"").hexdigest()
_REQUIRED: Final = ("host", _DATE)
# Headers that change the meaning of a call. They must be signed, so that nobody can add one to a signed call.
_MUST_BE_SIGNED: Final = ("x-security-token", "x-project-id", "x-domain-id", "x-app-userid")
_AUTHORIZATION = re.compile(
    ALGORITHM
    + r" Access=(?P<id>[^,\s]+), ?SignedHeaders=(?P<names>[\w!#$%&'*+.^`|~;-]+), ?"
    + r"Signature=(?P<signature>[0-9a-f]{64})",
    re.ASCII,
)


class SignatureError(Exception):
    """The signature is invalid. The message is the one of the gateway."""


@dataclass(frozen=True, slots=True)
class AuthorizationHeader:
    """A parsed Authorization header: access key, names of the signed headers in order, signature in hex."""

    access_key: str
    names: tuple[str, ...]
    signature: str


def verify(request: ReceivedRequest, body: bytes, access_key: str, secret_key: str, now: float) -> None:
    """Raise SignatureError unless the signature matches the request and its date is close to `now` (Unix time)."""
    signed = _read(request.headers.get("authorization", ""))
    if not hmac.compare_digest(signed.access_key.encode("utf-8", "surrogateescape"), access_key.encode()):
        raise SignatureError("Get secretKey failed,ak:******,err:ak not exist")
    _check_headers(request, signed.names)
    _check_time(request.headers[_DATE], now)
    canonical = canonical_request(request, body, signed.names)
    if not hmac.compare_digest(signature(secret_key, request.headers[_DATE], canonical), signed.signature):
        raise SignatureError("verify aksk signature fail")


def canonical_request(request: ReceivedRequest, body: bytes, names: tuple[str, ...]) -> str:
    """Return the canonical form of a request that has all named headers."""
    headers = "".join(f"{name}:{request.headers[name].strip()}\n" for name in names)
    return "\n".join(
        [request.method, _path(request), _query(request), headers, ";".join(names), _payload(request, body)]
    )


def signature(secret_key: str, date: str, canonical: str) -> str:
    """Return the signature in hex. The key is the plain secret, without a scope."""
    digest = hashlib.sha256(canonical.encode("utf-8", "surrogateescape")).hexdigest()
    return hmac.digest(secret_key.encode(), f"{ALGORITHM}\n{date}\n{digest}".encode(), "sha256").hex()


def _read(authorization: str) -> AuthorizationHeader:
    match = _AUTHORIZATION.fullmatch(authorization)
    if match is None:
        raise SignatureError(f"the Authorization header is not one of {ALGORITHM}")
    return AuthorizationHeader(match["id"], tuple(match["names"].split(";")), match["signature"])


def _check_headers(request: ReceivedRequest, names: tuple[str, ...]) -> None:
    for name in _REQUIRED:
        if name not in names:
            raise SignatureError(f"verify aksk signature fail, {name} must be signed")
    for name in names:
        if name not in request.headers:
            raise SignatureError(f"verify aksk signature fail, the signed header {name} was not sent")
    for name in request.headers:
        if (name in _MUST_BE_SIGNED or name.startswith("x-sdk-")) and name not in names:
            raise SignatureError(f"verify aksk signature fail, the header {name} was not signed")


def _check_time(date: str, now: float) -> None:
    signed_at = _read_date(date)
    if signed_at is None:
        raise SignatureError("verify aksk signature fail, X-Sdk-Date must have the format YYYYMMDDTHHMMSSZ")
    if abs(now - signed_at) > CLOCK_SKEW:
        raise SignatureError(
            f"verify aksk signature fail, signature expired: X-Sdk-Date is more than {CLOCK_SKEW // 60} minutes "
            "from the server's time"
        )


@lru_cache(maxsize=64)
def _read_date(text: str) -> float | None:
    try:
        return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None


def _path(request: ReceivedRequest) -> str:
    path = quote(unquote_to_bytes(request.raw_path), safe="/~")
    return path if path.endswith("/") else path + "/"


def _query(request: ReceivedRequest) -> str:
    return encoded_query(tuple(sorted(request.query)))


def _payload(request: ReceivedRequest, body: bytes) -> str:
    """Return the payload's digest for the canonical request.

    The header counts only if it says that the payload is not signed. Otherwise the digest is computed here: a digest
    from the header would let an attacker replace the body.
    """
    if not body:
        return _EMPTY
    return _UNSIGNED if request.headers.get(_CONTENT) == _UNSIGNED else hashlib.sha256(body).hexdigest()
