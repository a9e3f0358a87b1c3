"""What storage's answer proves about the bytes that were sent (DESIGN section 5). Pure."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping

from bulkup.messages import Digest

_PLAIN_MD5 = re.compile(r"[0-9a-f]{32}")
_CUSTOMER_KEY = "x-amz-server-side-encryption-customer-algorithm"


class Proof(enum.Enum):
    """What is known after the answer."""

    MATCH = "match"
    MISMATCH = "mismatch"
    NONE = "none"


def proof(headers: Mapping[str, str], digest: Digest) -> Proof:
    """Compare the ETag with the MD5 of what was sent, where it is a plain MD5: 32 hex digits (contracts.md section 5).

    Anything else, such as that of an object encrypted with KMS or made of parts, is opaque and proves nothing.
    """
    etag = plain_etag(headers)
    if headers.get("x-amz-server-side-encryption", "AES256") != "AES256" or _CUSTOMER_KEY in headers:
        return Proof.NONE  # encrypted with KMS or a key of the customer's: 32 hex digits, and not the MD5
    if etag is None or not _PLAIN_MD5.fullmatch(etag.lower()):
        return Proof.NONE
    return Proof.MATCH if etag.lower() == digest.hex else Proof.MISMATCH


def plain_etag(headers: Mapping[str, str]) -> str | None:
    """Return the ETag without its quotes and weak mark, None where there is none."""
    etag = headers.get("etag", "").strip().removeprefix("W/").strip('"')
    return etag or None
