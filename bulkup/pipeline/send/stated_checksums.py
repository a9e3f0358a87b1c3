"""A checksum of the stored bytes where a ticket says that storage's answer has it. Pure.

content-md5: rL0Y20zC+Fzt72VPzMSk2A==                  base64
x-checksum-sha256: 2c26b46b68ffc68f...                 hex digits
x-goog-hash: crc32c=n03x6A==,md5=Ojk9c3dhfxgoKVVHYwFbHQ==
body:checksums.md5                                     a field of a JSON document
"""

from __future__ import annotations

import base64
import binascii
import functools
import re
from collections.abc import Iterator, Sequence

from bulkup.config.json_path import JsonPath
from bulkup.model.files import DIGEST_BYTES, Digest
from bulkup.model.http import StorageAnswer
from bulkup.pipeline.send.verification import Verification

_IN_BODY = "body:"
_HEX = re.compile(r"(?:[0-9a-f]{2})+", re.IGNORECASE)
_NAMED = re.compile(r"([a-z0-9]+)[=:](.+)", re.IGNORECASE)
_LONGEST = 1024  # characters


def verify_stated(proof: str, answer: StorageAnswer, digests: Sequence[Digest]) -> Verification:
    """Compare the checksum that an answer states with the digests of the sent bytes, by that of the same algorithm."""
    known = {digest.algorithm: digest.value for digest in digests}
    text = _text_in(proof, answer)
    results = {known[name] == value for name, value in _stated(text) if name in known}
    if len(results) != 1:  # none, or values that contradict one another
        return Verification.NONE
    return Verification.MATCH if results == {True} else Verification.MISMATCH


def _text_in(proof: str, answer: StorageAnswer) -> str:
    if not proof.startswith(_IN_BODY):
        return answer.headers.get(proof.lower(), "")
    import orjson  # noqa: PLC0415  # it takes long, and a sending process seldom reads a document

    try:
        found = _path(proof.removeprefix(_IN_BODY)).find(orjson.loads(answer.body))
    except ValueError:  # no JSON, or the expression cannot be applied to it
        return ""
    return found if isinstance(found, str) else ""


@functools.lru_cache(maxsize=16)
def _path(text: str) -> JsonPath:
    return JsonPath(text)


def _stated(text: str) -> Iterator[tuple[str, bytes]]:
    """Yield the checksums in a text with the names of their algorithms; without a name, their length tells."""
    for part in text.split(",") if len(text) <= _LONGEST else ():
        named = _NAMED.fullmatch(part.strip())
        name = named[1].lower() if named is not None and named[1].lower() in DIGEST_BYTES else None
        decoded = _decoded(named[2] if named is not None and name is not None else part.strip().strip('"'))
        for algorithm, size in DIGEST_BYTES.items():
            if decoded is not None and len(decoded) == size and name in (None, algorithm):
                yield algorithm, decoded


def _decoded(text: str) -> bytes | None:
    """Return the bytes of hex digits or of Base64, None for any other text."""
    if _HEX.fullmatch(text) and len(text) // 2 in DIGEST_BYTES.values():
        return bytes.fromhex(text)
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
