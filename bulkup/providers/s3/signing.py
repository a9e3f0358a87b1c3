"""Signature version 4 of S3: presigned URLs for uploads, and headers for API calls. Pure.

Most of a signature is the same for many files. So the signing key is derived once for each day, and the parts of the
canonical request that do not depend on the file are made once for each second. The HMAC is computed from two hashes
that have the key already, because copies of an HMAC of the standard library take twice the time.

https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from bulkup.helpers.quick_dataclass import dataclass
from bulkup.helpers.secrets import Secret, SecretUrl

ALGORITHM = "AWS4-HMAC-SHA256"
MAX_LIFETIME = 604_800  # seconds
_UNSIGNED = "UNSIGNED-PAYLOAD"
_NO_HEADERS: Mapping[str, str] = {}
_BLOCK, _INNER, _OUTER = 64, 0x36, 0x5C  # of HMAC with SHA-256 (RFC 2104)
_KEPT = 256  # sets of headers whose lines are kept
_needs_no_encoding = re.compile(r"[A-Za-z0-9_.~/-]*").fullmatch


@dataclass(frozen=True, slots=True)
class AccessKeys:
    """An access key pair; temporary keys have a `token`, and end at `expires_at` (Unix time), None if unknown."""

    access_key: Secret
    secret_key: Secret
    token: Secret | None = None
    expires_at: float | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """The place that requests go to: the origin of their URL, and the region of their signature."""

    scheme: str
    host: str
    region: str

    @property
    def origin(self) -> str:
        """The part of a URL before its path."""
        return f"{self.scheme}://{self.host}"


class UrlSigner:
    """Makes presigned URLs with one pair of keys, each valid for `lifetime` seconds."""

    def __init__(self, keys: AccessKeys, target: Target, lifetime: int) -> None:
        self._keys = keys
        self._target = target
        self._lifetime = lifetime
        self._origin = target.origin
        self._second = -1
        self._day = ""
        self._inner, self._outer = _keyed_hashes(b"")
        self._before_digest = ""
        self._lines: dict[tuple[tuple[str, str], ...], str] = {}
        self._parameters: dict[tuple[str, ...], tuple[str, str]] = {}

    def sign(
        self, method: str, path: str, now: float, headers: Mapping[str, str] = _NO_HEADERS, query: str = ""
    ) -> SecretUrl:
        """Return a URL for a request that sends `headers`, which have names in lower case.

        `path` and `query` are encoded. The parameters of the query are sorted, and their names begin with a small
        letter.
        """
        second = int(now)
        if second != self._second:
            self._begin_second(second)
        names, parameters = self._parameters.get(tuple(headers)) or self._parameters_for(headers)
        lines = self._header_lines(headers)
        if query:
            parameters = f"{parameters}&{query}"
        canonical = f"{method}\n{path}\n{parameters}\n{lines}\n{names}\n{_UNSIGNED}"
        text = self._before_digest + hashlib.sha256(canonical.encode()).hexdigest()
        inner, signature = self._inner.copy(), self._outer.copy()
        inner.update(text.encode())
        signature.update(inner.digest())
        return SecretUrl(f"{self._origin}{path}?{parameters}&X-Amz-Signature={signature.hexdigest()}")

    def _begin_second(self, second: int) -> None:
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(second))
        if stamp[:8] != self._day:
            self._day = stamp[:8]
            self._inner, self._outer = _keyed_hashes(_signing_key(self._keys, self._day, self._target.region))
        self._before_digest = f"{ALGORITHM}\n{stamp}\n{_scope(self._day, self._target.region)}\n"
        self._second = second
        self._stamp = stamp
        self._parameters.clear()

    def _parameters_for(self, headers: Mapping[str, str]) -> tuple[str, str]:
        names = ";".join(sorted(("host", *headers)))
        credential = f"{self._keys.access_key.reveal()}/{_scope(self._day, self._target.region)}"
        token = self._keys.token
        parameters = [
            f"X-Amz-Algorithm={ALGORITHM}",
            f"X-Amz-Credential={_encoded(credential)}",
            f"X-Amz-Date={self._stamp}",
            f"X-Amz-Expires={self._lifetime}",
            *([f"X-Amz-Security-Token={_encoded(token.reveal())}"] if token is not None else []),
            f"X-Amz-SignedHeaders={_encoded(names)}",
        ]
        found = self._parameters[tuple(headers)] = names, "&".join(parameters)
        return found

    def _header_lines(self, headers: Mapping[str, str]) -> str:
        """Return the lines of the signed headers. Most files have the same ones as others of their extension."""
        given = tuple(headers.items())
        lines = self._lines.get(given)
        if lines is None:
            if len(self._lines) >= _KEPT:
                self._lines.clear()
            lines = self._lines[given] = _lines({"host": self._target.host, **headers})
        return lines


def call_headers(
    keys: AccessKeys,
    target: Target,
    method: str,
    path: str,
    query: str,
    body: bytes,
    now: float,
    headers: Mapping[str, str] = _NO_HEADERS,
) -> dict[str, str | Secret]:
    """Return the headers that sign an API call, with the further `headers` of the call (names in lower case).

    `path` and `query` are encoded, and the parameters of the query are sorted.
    """
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(int(now)))
    digest = hashlib.sha256(body).hexdigest()
    covered = {**headers, "host": target.host, "x-amz-content-sha256": digest, "x-amz-date": stamp}
    added: dict[str, str | Secret] = {name: value for name, value in covered.items() if name != "host"}
    if keys.token is not None:
        added["x-amz-security-token"] = keys.token
        covered["x-amz-security-token"] = keys.token.reveal()
    names = ";".join(sorted(covered))
    canonical = f"{method}\n{path}\n{query}\n{_lines(covered)}\n{names}\n{digest}"
    scope = _scope(stamp[:8], target.region)
    text = f"{ALGORITHM}\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = _signing_key(keys, stamp[:8], target.region)
    signature = hmac.new(key, text.encode(), "sha256").hexdigest()
    credential = f"{keys.access_key.reveal()}/{scope}"
    added["Authorization"] = Secret(
        f"{ALGORITHM} Credential={credential}, SignedHeaders={names}, Signature={signature}"
    )
    return added


def encoded_key(key: str) -> str:
    """Return the percent-encoded form of an object key in a path."""
    return key if _needs_no_encoding(key) else quote(key, safe="/~")


def _encoded(text: str) -> str:
    return quote(text, safe="~")


def _lines(headers: Mapping[str, str]) -> str:
    return "".join([f"{name}:{' '.join(headers[name].split())}\n" for name in sorted(headers)])


def _scope(day: str, region: str) -> str:
    return f"{day}/{region}/s3/aws4_request"


def _keyed_hashes(key: bytes) -> tuple[Any, Any]:
    """Return the inner and the outer hash of an HMAC with SHA-256, each with the key, of at most a block, in it."""
    block = key.ljust(_BLOCK, b"\0")
    return (
        hashlib.sha256(bytes(byte ^ _INNER for byte in block)),
        hashlib.sha256(bytes(byte ^ _OUTER for byte in block)),
    )


def _signing_key(keys: AccessKeys, day: str, region: str) -> bytes:
    key = f"AWS4{keys.secret_key.reveal()}".encode()
    for part in (day, region, "s3", "aws4_request"):
        key = hmac.new(key, part.encode(), "sha256").digest()
    return key
