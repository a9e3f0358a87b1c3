"""The checksum of an object that is made of parts."""

from __future__ import annotations

import random

import pytest

from bulkup.model.files import Algorithm, Digest
from bulkup.model.tickets import SentPart
from bulkup.pipeline.files.hashing import digests_of_data
from bulkup.providers.s3.object_checksum import ObjectChecksum, object_checksum

PART = 1000


def parts_of(data: bytes, algorithm: Algorithm) -> list[SentPart]:
    pieces = [data[start : start + PART] for start in range(0, len(data), PART)]
    digests = [digests_of_data(piece, (algorithm,))[0] for piece in pieces]
    return [SentPart(number, "e", digest, verified=True) for number, digest in enumerate(digests, 1)]


@pytest.mark.parametrize("size", [1, 999, 1000, 1001, 2000, 5001, 9999])
def test_a_crc_of_all_bytes_follows_from_those_of_the_parts(size: int) -> None:
    data = random.Random(size).randbytes(size)
    found = object_checksum(parts_of(data, "crc64nvme"), "crc64nvme", PART, size)
    assert found is not None
    assert (found.digest, found.whole) == (digests_of_data(data, ("crc64nvme",))[0], True)
    assert found.text == found.digest.base64


def test_ten_thousand_parts() -> None:
    data = random.Random(1).randbytes(10_000 * PART)
    found = object_checksum(parts_of(data, "crc64nvme"), "crc64nvme", PART, len(data))
    assert found is not None
    assert found.digest == digests_of_data(data, ("crc64nvme",))[0]


@pytest.mark.parametrize("algorithm", ["sha256", "crc32c"])
def test_the_others_are_checksums_of_checksums(algorithm: Algorithm) -> None:
    parts = parts_of(b"x" * 2500, algorithm)
    found = object_checksum(parts, algorithm, PART, 2500)
    joined = b"".join(part.digest.value for part in parts if part.digest is not None)
    assert found is not None
    assert found.text == f"{digests_of_data(joined, (algorithm,))[0].base64}-3"


def test_a_part_without_a_checksum() -> None:
    parts = parts_of(b"x" * 2500, "sha256")
    assert object_checksum([*parts[:2], parts[2]._replace(digest=None)], "sha256", PART, 2500) is None
    assert object_checksum([*parts[:2], parts[2]._replace(digest=Digest(bytes(16)))], "sha256", PART, 2500) is None
    assert object_checksum([], "sha256", PART, 0) is None


@pytest.mark.parametrize(
    ("whole", "stated", "differs"),
    [
        (False, "AAAA-3", True),
        (False, "AAAA-2", False),  # of an object with other parts: not comparable
        (False, "AAAA", False),
        (False, "", False),
        (True, "AAAAAAAAAAA=", True),
        (True, "AAAAAAAAAAA=-3", False),
        (True, "", False),
    ],
)
def test_only_checksums_of_one_kind_are_compared(whole: bool, stated: str, differs: bool) -> None:
    found = ObjectChecksum(Digest(b"12345678", "crc64nvme"), 3, whole)
    assert found.differs(stated) is differs
    assert not found.differs(found.text)
