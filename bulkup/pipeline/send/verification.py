"""Verification: compares storage's answer with the digest of the bytes sent (docs/design.md section 5). Pure."""

from __future__ import annotations

import base64
import enum
import hashlib
import zlib
from collections.abc import Callable, Mapping, Sequence

from bulkup.helpers.lazy_pattern import lazy_pattern
from bulkup.model.files import Algorithm, Digest

_QUOTED_MD5 = lazy_pattern(r'"([0-9a-f]{32})"')
_PLAIN_MD5 = lazy_pattern(r"[0-9a-f]{32}")
# Headers with the checksum of the whole object in base64. These are compared with digests of the same algorithm.
_BY_ALGORITHM: Mapping[str, Algorithm] = {
    "x-amz-checksum-sha256": "sha256",
    "x-amz-checksum-crc32c": "crc32c",
    "x-amz-checksum-crc64nvme": "crc64nvme",
}
# These are also computed of bytes in memory, when an answer has them.
_CHECKSUMS: Mapping[str, Callable[[bytes | bytearray], bytes]] = {
    "x-amz-checksum-sha256": lambda data: hashlib.sha256(data).digest(),
    "x-amz-checksum-sha1": lambda data: hashlib.sha1(data, usedforsecurity=False).digest(),
    "x-amz-checksum-crc32": lambda data: zlib.crc32(data).to_bytes(4, "big"),
}
_COMPARED = frozenset({*_BY_ALGORITHM, *_CHECKSUMS})
# Between two values of a header. A comma alone may be part of one ETag; a quote or white space cannot be.
_NEXT_ETAG = lazy_pattern(r'"\s*,|,\s')
_COMPOSITE = lazy_pattern(r"-[0-9]+$")  # the number of parts, after the base64
_MAX_ETAG = 1024  # characters
_ENCRYPTION = "x-amz-server-side-encryption"
_CUSTOMER_KEY = f"{_ENCRYPTION}-customer-algorithm"
_FURTHER_EVIDENCE = frozenset({*_CHECKSUMS, _ENCRYPTION, _CUSTOMER_KEY})


class Verification(enum.Enum):
    """The result of the comparison; `NONE` means that the answer proves nothing."""

    MATCH = "match"
    MISMATCH = "mismatch"
    NONE = "none"


def verify(
    headers: Mapping[str, str], digest: Digest, data: bytes | bytearray | None = None, others: Sequence[Digest] = ()
) -> Verification:
    """Compare the ETag with the MD5 of the sent bytes, if it has 32 hex digits (docs/contracts.md section 5).

    Otherwise compare the `x-amz-checksum-*` headers with the digests of their algorithms, and with the checksums of
    `data`, all bytes that were sent, if given. `others` are digests of the same bytes by further algorithms. The ETag
    of an object made of parts or encrypted with KMS is opaque and proves nothing. Neither do values that contradict
    each other: one of them belongs to another answer.
    """
    if headers.get("etag") == f'"{digest.hex}"' and headers.keys().isdisjoint(_FURTHER_EVIDENCE):
        return Verification.MATCH  # the usual answer
    etag = (plain_etag(headers) or "").lower()
    if not etag and _several(headers.get("etag", "")):
        return Verification.NONE
    # With KMS or a customer's key the ETag also has 32 hex digits, but is not the MD5.
    opaque = headers.get(_ENCRYPTION, "AES256") != "AES256" or _CUSTOMER_KEY in headers
    digests = (digest, *others)
    by_checksum = _verify_checksums(headers, digests, data)
    md5 = _md5_of(digests, data if by_checksum is Verification.NONE else None)
    if not _PLAIN_MD5.fullmatch(etag) or opaque or md5 is None:
        return by_checksum
    if etag != md5:
        return Verification.MISMATCH
    return Verification.NONE if by_checksum is Verification.MISMATCH else Verification.MATCH


def _md5_of(digests: Sequence[Digest], data: bytes | bytearray | None) -> str | None:
    """Return the MD5 in hex, computed of `data` if no digest is one. None if there is neither."""
    known = next((digest.hex for digest in digests if digest.algorithm == "md5"), None)
    if known is None and data is not None:
        return hashlib.md5(data, usedforsecurity=False).hexdigest()
    return known


def _verify_checksums(
    headers: Mapping[str, str], digests: Sequence[Digest], data: bytes | bytearray | None
) -> Verification:
    expected = _expected(headers, digests, data)
    answers = {name: headers[name] for name in expected}
    if any("," in answered for answered in answers.values()):  # Base64 has none, so these are values that differ
        return Verification.NONE
    found = {answers[name] == value for name, value in expected.items()}
    if len(found) != 1:
        return Verification.NONE
    return Verification.MATCH if found == {True} else Verification.MISMATCH


def _expected(
    headers: Mapping[str, str], digests: Sequence[Digest], data: bytes | bytearray | None
) -> Mapping[str, str]:
    """Return the values of the checksum headers in an answer that can be compared.

    A checksum of checksums, as of an object made of parts, says nothing about a digest of the whole.
    """
    if headers.get("x-amz-checksum-type", "FULL_OBJECT") != "FULL_OBJECT":
        return {}
    known = {digest.algorithm: digest.base64 for digest in digests}
    of_whole = {name for name, value in headers.items() if name in _COMPARED and not _COMPOSITE.search(value)}
    expected = {name: known[algorithm] for name, algorithm in _BY_ALGORITHM.items() if algorithm in known}
    if data is not None:
        for name in of_whole.intersection(_CHECKSUMS).difference(expected):
            expected[name] = base64.b64encode(_CHECKSUMS[name](data)).decode("ascii")
    return {name: value for name, value in expected.items() if name in of_whole}


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
