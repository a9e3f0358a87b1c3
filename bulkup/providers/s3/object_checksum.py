"""The checksum of an object that is made of parts, from those of its parts. Pure.

Two kinds exist. A composite checksum is that of the parts' checksums, followed by their number. A CRC-64/NVME is always
that of the whole object. It follows from those of the parts and their sizes, so nothing is read again.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html
"""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Mapping, Sequence

from bulkup.helpers.quick_dataclass import dataclass
from bulkup.model.files import DIGEST_BYTES, Algorithm, Digest
from bulkup.model.tickets import SentPart

# The names of the algorithms in requests and answers about uploads in parts.
NAMES: Mapping[Algorithm, str] = {"sha256": "SHA256", "crc32c": "CRC32C", "crc64nvme": "CRC64NVME"}
_OF_WHOLE_OBJECTS = frozenset({"crc64nvme"})
# The polynomial of CRC-64/NVME, and 1 and x, with the bits in reverse order: the highest bit belongs to x to the 0.
_POLYNOMIAL = 0x9A6C9329AC4BC9B5
_ONE, _X = 1 << 63, 1 << 62


@dataclass(frozen=True, slots=True)
class ObjectChecksum:
    """The checksum of an object of `parts` parts, which is one of their checksums or, with `whole`, of all bytes."""

    digest: Digest
    parts: int
    whole: bool

    @property
    def text(self) -> str:
        """The checksum as stores write it."""
        return self.digest.base64 if self.whole else f"{self.digest.base64}-{self.parts}"

    def differs(self, stated: str) -> bool:
        """Return whether a store states another checksum of the same kind."""
        kind_is_equal = "-" not in stated if self.whole else stated.endswith(f"-{self.parts}")
        return bool(stated) and kind_is_equal and stated != self.text


def object_checksum(
    parts: Sequence[SentPart], algorithm: Algorithm, part_size: int, size: int
) -> ObjectChecksum | None:
    """Return the checksum of an object of `size` bytes, None if that of a part is unknown.

    All parts but the last have `part_size` bytes.
    """
    digests = [part.digest for part in parts if part.digest is not None and part.digest.algorithm == algorithm]
    if len(digests) != len(parts) or not digests:
        return None
    whole = algorithm in _OF_WHOLE_OBJECTS
    if whole:
        last = size - part_size * (len(digests) - 1)
        value = _joined_crc([int.from_bytes(digest.value, "big") for digest in digests], part_size, last)
        digest = Digest(value.to_bytes(DIGEST_BYTES[algorithm], "big"), algorithm)
    else:
        digest = Digest(_of_bytes(b"".join(digest.value for digest in digests), algorithm), algorithm)
    return ObjectChecksum(digest, len(digests), whole)


def _of_bytes(data: bytes, algorithm: Algorithm) -> bytes:
    if algorithm == "sha256":
        return hashlib.sha256(data).digest()
    crc32c = importlib.import_module("awscrt.checksums").crc32c  # the parts were hashed with it
    return int(crc32c(data)).to_bytes(DIGEST_BYTES[algorithm], "big")


def _joined_crc(crcs: Sequence[int], part_size: int, last: int) -> int:
    """Return the CRC-64/NVME of bytes from those of their pieces: each of `part_size` bytes, and of `last` the last."""
    per_part, per_last = _power_of_x(8 * part_size), _power_of_x(8 * last)
    joined = crcs[0]
    for crc in crcs[1:-1]:
        joined = _product(per_part, joined) ^ crc
    return joined if len(crcs) == 1 else _product(per_last, joined) ^ crcs[-1]


def _power_of_x(exponent: int) -> int:
    """Return x to the power, modulo the polynomial."""
    power, square = _ONE, _X
    while exponent:
        if exponent & 1:
            power = _product(power, square)
        square = _product(square, square)
        exponent >>= 1
    return power


def _product(one: int, other: int) -> int:
    """Return the product of two polynomials over bits, modulo the polynomial of the CRC."""
    product = 0
    while one:
        if one & _ONE:
            product ^= other
        one = (one << 1) & (2 * _ONE - 1)
        other = (other >> 1) ^ (_POLYNOMIAL if other & 1 else 0)
    return product
