"""Verification of storage's answer: the ETag, opaque ETags, and checksums."""

from __future__ import annotations

import base64
import hashlib
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.model.files import DIGEST_BYTES, Algorithm, Digest
from bulkup.pipeline.files.hashing import digests_of_data
from bulkup.pipeline.send.verification import Verification, plain_etag, verify

MD5 = hashlib.md5(b"hello", usedforsecurity=False)
DIGEST = Digest(MD5.digest())


def of(etag: str) -> Verification:
    return verify({"etag": etag}, DIGEST)


@pytest.mark.parametrize("form", ['"{}"', "{}", 'W/"{}"', ' "{}" '])
def test_an_etag_that_is_the_md5_proves_the_bytes(form: str) -> None:
    """Quoted or not, weak or not, in upper or lower case."""
    assert of(form.format(MD5.hexdigest())) is Verification.MATCH
    assert of(form.format(MD5.hexdigest().upper())) is Verification.MATCH


def test_another_md5_is_a_mismatch() -> None:
    assert of('"' + "0" * 32 + '"') is Verification.MISMATCH


@pytest.mark.parametrize(
    "etag",
    [
        "",
        '""',
        "W/",
        '"0f343b0931126a20f133d67c2b018a3b-2"',
        '"' + "g" * 32 + '"',
        "0" * 31,
        "0" * 33,
        "0" * 32 + "\n0",
    ],
)
def test_an_opaque_etag_proves_nothing(etag: str) -> None:
    """Objects made of parts, and encrypted objects, have one."""
    assert of(etag) is Verification.NONE


def test_no_etag_proves_nothing() -> None:
    assert verify({}, DIGEST) is Verification.NONE
    assert plain_etag({}) is None
    assert plain_etag({"etag": '""'}) is None


def test_the_etag_is_kept_without_its_quotes() -> None:
    assert plain_etag({"etag": 'W/"abc-2"'}) == "abc-2"


@given(st.binary(min_size=16, max_size=16))
def test_only_the_digest_itself_matches(md5: bytes) -> None:
    assert (of(md5.hex()) is Verification.MATCH) == (md5 == DIGEST.value)


@given(st.text())
def test_any_etag_has_a_result(etag: str) -> None:
    """MATCH only for the digest."""
    assert of(etag) is not Verification.MATCH or DIGEST.hex in etag.lower()


@pytest.mark.parametrize(
    "header",
    [{"x-amz-server-side-encryption": "aws:kms"}, {"x-amz-server-side-encryption-customer-algorithm": "AES256"}],
)
def test_the_etag_of_an_object_with_its_own_key_proves_nothing(header: dict[str, str]) -> None:
    """It has 32 hex digits and is not the MD5, even if the bytes are right."""
    digest = Digest(bytes(16))
    assert verify({"etag": '"' + "f" * 32 + '"', **header}, digest) is Verification.NONE
    assert (
        verify({"etag": '"' + "f" * 32 + '"', "x-amz-server-side-encryption": "AES256"}, digest)
        is Verification.MISMATCH
    )


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("x-amz-checksum-sha256", "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="),
        ("x-amz-checksum-sha1", "qvTGHdzF6KLavt4PO0gs2a6pQ00="),
        ("x-amz-checksum-crc32", "NhCmhg=="),
    ],
)
def test_a_checksum_header_is_verified_beside_an_opaque_etag(header: str, value: str) -> None:
    """If all bytes that were sent are in memory, as those of small files are."""
    digest = Digest(hashlib.md5(b"hello").digest())
    answered = {"etag": '"opaque-2"', header: value}
    assert verify(answered, digest, b"hello") is Verification.MATCH
    assert verify(answered, digest, b"other") is Verification.MISMATCH
    assert verify(answered, digest) is Verification.NONE


MINE, OTHER = MD5.hexdigest(), "0" * 32


@pytest.mark.parametrize(
    "etag",
    [
        f'"{MINE}", "{OTHER}"',
        f'"{OTHER}", "{MINE}"',
        f"{OTHER}, {MINE}",
        f'"{MINE}","{OTHER}"',
        f'W/"{OTHER}", "{MINE}"',
        f'"{MINE}", "opaque-2"',
        f'"{MINE}", ""',
    ],
)
def test_two_etags_that_differ_prove_nothing(etag: str) -> None:
    """Whichever of them comes last. A checksum beside them does not prove anything either."""
    assert of(etag) is Verification.NONE
    assert plain_etag({"etag": etag}) is None
    crc32 = base64.b64encode(zlib.crc32(b"hello").to_bytes(4, "big")).decode()
    assert verify({"etag": etag, "x-amz-checksum-crc32": crc32}, DIGEST, b"hello") is Verification.NONE


@pytest.mark.parametrize("etag", [f'"{MINE}", "{MINE}"', f'"{MINE}", W/"{MINE.upper()}"'])
def test_an_etag_that_is_repeated_is_one(etag: str) -> None:
    assert of(etag) is Verification.MATCH


def test_an_opaque_etag_may_hold_a_comma() -> None:
    assert plain_etag({"etag": '"a,b"'}) == "a,b"


def test_a_checksum_that_contradicts_the_etag_takes_its_proof() -> None:
    """Of another ETag, a checksum that is right does not make a proof."""
    right, wrong = "NhCmhg==", "AAAAAA=="
    for crc32, etag, result in [
        (right, DIGEST.hex, Verification.MATCH),
        (wrong, DIGEST.hex, Verification.NONE),
        (right, "0" * 32, Verification.MISMATCH),
    ]:
        assert verify({"etag": f'"{etag}"', "x-amz-checksum-crc32": crc32}, DIGEST, b"hello") is result


def test_checksums_that_contradict_each_other_prove_nothing() -> None:
    """Two values of one header, or two headers of which one is right."""
    right = base64.b64encode(zlib.crc32(b"hello").to_bytes(4, "big")).decode()
    wrong = base64.b64encode(bytes(4)).decode()
    sha1 = base64.b64encode(bytes(20)).decode()
    for headers in (
        {"x-amz-checksum-crc32": f"{wrong}, {right}"},
        {"x-amz-checksum-crc32": f"{right}, {wrong}"},
        {"x-amz-checksum-crc32": right, "x-amz-checksum-sha1": sha1},
        {"x-amz-checksum-crc32": wrong, "x-amz-checksum-sha1": sha1_of_hello()},
    ):
        assert verify(headers, DIGEST, b"hello") is Verification.NONE
    assert verify({"x-amz-checksum-crc32": right, "x-amz-checksum-sha1": sha1_of_hello()}, DIGEST, b"hello") is (
        Verification.MATCH
    )
    assert verify({"x-amz-checksum-crc32": wrong, "x-amz-checksum-sha1": sha1}, DIGEST, b"hello") is (
        Verification.MISMATCH
    )


def sha1_of_hello() -> str:
    return base64.b64encode(hashlib.sha1(b"hello", usedforsecurity=False).digest()).decode()


SHA256 = Digest(hashlib.sha256(b"hello").digest(), "sha256")


@pytest.mark.parametrize("algorithm", sorted(set(DIGEST_BYTES) - {"md5"}))
def test_a_checksum_header_is_compared_with_the_digest_of_its_algorithm(algorithm: Algorithm) -> None:
    """Whether the bytes are in memory or were streamed, and whether the digest is the recorded one or a further one."""
    (digest,) = digests_of_data(b"hello", (algorithm,))
    name, wrong = f"x-amz-checksum-{algorithm}", Digest(bytes(DIGEST_BYTES[algorithm]), algorithm)
    for data in (None, b"hello"):
        for headers in ({name: digest.base64}, {name: digest.base64, "etag": '"opaque-2"'}):
            assert verify(headers, digest, data) is Verification.MATCH
            assert verify(headers, DIGEST, data, (digest,)) is Verification.MATCH
        assert verify({name: wrong.base64}, digest, data) is Verification.MISMATCH
        assert verify({name: f"{wrong.base64}, {digest.base64}"}, digest, data) is Verification.NONE


@pytest.mark.parametrize("headers", [{}, {"x-amz-checksum-type": "COMPOSITE"}, {"x-amz-checksum-type": "COMPOSITE, X"}])
def test_a_checksum_of_checksums_proves_nothing(headers: dict[str, str]) -> None:
    """That of an object made of parts has the number of parts at its end, or is called composite."""
    value = SHA256.base64 if headers else f"{SHA256.base64}-3"
    for data in (None, b"hello"):
        assert verify({**headers, "x-amz-checksum-sha256": value}, SHA256, data) is Verification.NONE
    whole = {"x-amz-checksum-type": "FULL_OBJECT", "x-amz-checksum-sha256": SHA256.base64}
    assert verify(whole, SHA256) is Verification.MATCH


def test_a_crc_that_was_not_computed_is_not_compared() -> None:
    """Some stores answer one with every upload. The ETag is proof enough, and the package may be missing."""
    etag = {"etag": f'"{DIGEST.hex}"', "x-amz-checksum-crc64nvme": "AAAAAAAAAAA="}
    assert verify(etag, DIGEST, b"hello") is Verification.MATCH
    assert verify({"x-amz-checksum-crc64nvme": "AAAAAAAAAAA="}, DIGEST, b"hello") is Verification.NONE


def test_an_etag_is_compared_where_the_recorded_digest_is_no_md5() -> None:
    """With an MD5 that was computed as well, or of bytes that are in memory."""
    etag, other = {"etag": f'"{DIGEST.hex}"'}, {"etag": '"' + "0" * 32 + '"'}
    assert verify(etag, SHA256, None, (DIGEST,)) is verify(etag, SHA256, b"hello") is Verification.MATCH
    assert verify(other, SHA256, None, (DIGEST,)) is verify(other, SHA256, b"hello") is Verification.MISMATCH
    assert verify(etag, SHA256) is verify(other, SHA256) is Verification.NONE
