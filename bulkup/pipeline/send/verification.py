"""Verification: compares storage's answer with the digest of the bytes sent (docs/design.md section 5). Pure."""

from __future__ import annotations

import base64
import enum
import hashlib
import re
import zlib
from collections.abc import Callable, Mapping

from bulkup.model.files import Digest

_QUOTED_MD5 = re.compile(r'"([0-9a-f]{32})"')
_PLAIN_MD5 = re.compile(r"[0-9a-f]{32}")
_CHECKSUMS: Mapping[str, Callable[[bytes | bytearray], bytes]] = {
    "x-amz-checksum-sha256": lambda data: hashlib.sha256(data).digest(),
    "x-amz-checksum-sha1": lambda data: hashlib.sha1(data, usedforsecurity=False).digest(),
    "x-amz-checksum-crc32": lambda data: zlib.crc32(data).to_bytes(4, "big"),
}
# Between two values of a header. A comma alone may be part of one ETag; a quote or white space cannot be.
_NEXT_ETAG = re.compile(r'"\s*,|,\s')
_MAX_ETAG = 1024  # characters
_ENCRYPTION = "x-amz-server-side-encryption"
_CUSTOMER_KEY = f"{_ENCRYPTION}-customer-algorithm"
_FURTHER_EVIDENCE = frozenset({*_CHECKSUMS, _ENCRYPTION, _CUSTOMER_KEY})


class Verification(enum.Enum):
    """The result of the comparison; `NONE` means that the answer proves nothing."""

    MATCH = "match"
    MISMATCH = "mismatch"
    NONE = "none"


def verify(headers: Mapping[str, str], digest: Digest, data: bytes | bytearray | None = None) -> Verification:
    """Compare the ETag with the MD5 of the sent bytes, if it has 32 hex digits (docs/contracts.md section 5).

    Otherwise compare the `x-amz-checksum-*` headers with the checksums of `data`, all bytes that were sent, if given.
    The ETag of an object made of parts or encrypted with KMS is opaque and proves nothing. Neither do values that
    contradict each other: one of them belongs to another answer.
    """
    if headers.get("etag") == f'"{digest.hex}"' and headers.keys().isdisjoint(_FURTHER_EVIDENCE):
        return Verification.MATCH  # the usual answer
    etag = (plain_etag(headers) or "").lower()
    if not etag and _several(headers.get("etag", "")):
        return Verification.NONE
    # With KMS or a customer's key the ETag also has 32 hex digits, but is not the MD5.
    opaque = headers.get(_ENCRYPTION, "AES256") != "AES256" or _CUSTOMER_KEY in headers
    by_checksum = Verification.NONE if data is None else _verify_checksum(headers, data)
    if not _PLAIN_MD5.fullmatch(etag) or opaque:
        return by_checksum
    if etag != digest.hex:
        return Verification.MISMATCH
    return Verification.NONE if by_checksum is Verification.MISMATCH else Verification.MATCH


def _verify_checksum(headers: Mapping[str, str], data: bytes | bytearray) -> Verification:
    found = set()
    for name, checksum in _CHECKSUMS.items():
        answered = headers.get(name)
        if answered is not None:
            if "," in answered:  # Base64 has none, so these are values that differ
                return Verification.NONE
            found.add(answered == base64.b64encode(checksum(data)).decode("ascii"))
    if len(found) != 1:
        return Verification.NONE
    return Verification.MATCH if found == {True} else Verification.MISMATCH


def plain_etag(headers: Mapping[str, str]) -> str | None:
    """Return the ETag without quotes and weak mark, None if there is none, a very long one, or several that differ."""
    etag = headers.get("etag", "").strip()
    if (quoted := _QUOTED_MD5.fullmatch(etag)) is not None:  # the usual one
        return quoted[1]
    if len(etag) > _MAX_ETAG:
        return None
    if "," in etag and _several(etag):
        distinct = {_plain(each).lower() for each in _NEXT_ETAG.split(etag)}
        return distinct.pop() or None if len(distinct) == 1 else None
    return _plain(etag) or None


def _several(etag: str) -> bool:
    return _NEXT_ETAG.search(etag) is not None


def _plain(etag: str) -> str:
    return etag.strip().removeprefix("W/").strip('"')
