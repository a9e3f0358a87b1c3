"""What storage's answer proves about the bytes that were sent (DESIGN section 5). Pure."""

from __future__ import annotations

import base64
import enum
import hashlib
import re
import zlib
from collections.abc import Callable, Mapping

from bulkup.messages import Digest

_PLAIN_MD5 = re.compile(r"[0-9a-f]{32}")
_CHECKSUMS: Mapping[str, Callable[[bytes], bytes]] = {
    "x-amz-checksum-sha256": lambda data: hashlib.sha256(data).digest(),
    "x-amz-checksum-sha1": lambda data: hashlib.sha1(data, usedforsecurity=False).digest(),
    "x-amz-checksum-crc32": lambda data: zlib.crc32(data).to_bytes(4, "big"),
}
_CUSTOMER_KEY = "x-amz-server-side-encryption-customer-algorithm"


class Proof(enum.Enum):
    """What is known after the answer."""

    MATCH = "match"
    MISMATCH = "mismatch"
    NONE = "none"


def proof(headers: Mapping[str, str], digest: Digest, data: bytes | None = None) -> Proof:
    """Compare the ETag with the MD5 of what was sent, where it is a plain MD5: 32 hex digits (contracts.md section 5).

    Where it is not, an `x-amz-checksum-*` is compared with `data`, the whole of what was sent if it is at hand. An ETag
    of an object that is encrypted with KMS or made of parts is opaque and proves nothing.
    """
    etag = (plain_etag(headers) or "").lower()
    # Encrypted with KMS or a key of the customer's, it has 32 hex digits and is not the MD5.
    opaque = headers.get("x-amz-server-side-encryption", "AES256") != "AES256" or _CUSTOMER_KEY in headers
    if _PLAIN_MD5.fullmatch(etag) and not opaque:
        return Proof.MATCH if etag == digest.hex else Proof.MISMATCH
    return Proof.NONE if data is None else _proof_by_checksum(headers, data)


def _proof_by_checksum(headers: Mapping[str, str], data: bytes) -> Proof:
    for name, checksum in _CHECKSUMS.items():
        answered = headers.get(name)
        if answered is not None:
            mine = base64.b64encode(checksum(data)).decode("ascii")
            return Proof.MATCH if answered == mine else Proof.MISMATCH
    return Proof.NONE


def plain_etag(headers: Mapping[str, str]) -> str | None:
    """Return the ETag without its quotes and weak mark, None where there is none."""
    etag = headers.get("etag", "").strip().removeprefix("W/").strip('"')
    return etag or None
