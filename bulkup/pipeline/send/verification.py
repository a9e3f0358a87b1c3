"""Verification: compares storage's answer with the digest of the bytes sent (docs/design.md section 5). Pure."""

from __future__ import annotations

import base64
import enum
import hashlib
import re
import zlib
from collections.abc import Callable, Mapping

from bulkup.model.files import Digest

_PLAIN_MD5 = re.compile(r"[0-9a-f]{32}")
_CHECKSUMS: Mapping[str, Callable[[bytes], bytes]] = {
    "x-amz-checksum-sha256": lambda data: hashlib.sha256(data).digest(),
    "x-amz-checksum-sha1": lambda data: hashlib.sha1(data, usedforsecurity=False).digest(),
    "x-amz-checksum-crc32": lambda data: zlib.crc32(data).to_bytes(4, "big"),
}
_CUSTOMER_KEY = "x-amz-server-side-encryption-customer-algorithm"


class Verification(enum.Enum):
    """The result of the comparison; `NONE` means that the answer proves nothing."""

    MATCH = "match"
    MISMATCH = "mismatch"
    NONE = "none"


def verify(headers: Mapping[str, str], digest: Digest, data: bytes | None = None) -> Verification:
    """Compare the ETag with the MD5 of the sent bytes, if it has 32 hex digits (docs/contracts.md section 5).

    Otherwise compare an `x-amz-checksum-*` header with the checksum of `data`, all bytes that were sent, if given. The
    ETag of an object made of parts or encrypted with KMS is opaque and proves nothing.
    """
    etag = (plain_etag(headers) or "").lower()
    # With KMS or a customer's key the ETag also has 32 hex digits, but is not the MD5.
    opaque = headers.get("x-amz-server-side-encryption", "AES256") != "AES256" or _CUSTOMER_KEY in headers
    if _PLAIN_MD5.fullmatch(etag) and not opaque:
        return Verification.MATCH if etag == digest.hex else Verification.MISMATCH
    return Verification.NONE if data is None else _verify_checksum(headers, data)


def _verify_checksum(headers: Mapping[str, str], data: bytes) -> Verification:
    for name, checksum in _CHECKSUMS.items():
        answered = headers.get(name)
        if answered is not None:
            mine = base64.b64encode(checksum(data)).decode("ascii")
            return Verification.MATCH if answered == mine else Verification.MISMATCH
    return Verification.NONE


def plain_etag(headers: Mapping[str, str]) -> str | None:
    """Return the ETag without quotes and weak mark, None if there is none."""
    etag = headers.get("etag", "").strip().removeprefix("W/").strip('"')
    return etag or None
