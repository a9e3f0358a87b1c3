"""What storage's answer proves about the bytes that were sent."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.model.files import Digest
from bulkup.pipeline.send.verification import Verification, plain_etag, verify

MD5 = hashlib.md5(b"hello", usedforsecurity=False)
DIGEST = Digest(MD5.digest())


def of(etag: str) -> Verification:
    return verify({"etag": etag}, DIGEST)


@pytest.mark.parametrize("form", ['"{}"', "{}", 'W/"{}"', ' "{}" '])
def test_an_etag_that_is_the_md5_proves_the_bytes(form: str) -> None:
    """Quoted or not, weak or not, in either case: the 32 hex digits count."""
    assert of(form.format(MD5.hexdigest())) is Verification.MATCH
    assert of(form.format(MD5.hexdigest().upper())) is Verification.MATCH


def test_another_md5_is_a_mismatch() -> None:
    """A plain MD5 that is not ours says that other bytes were stored."""
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
    """That of an object made of parts, or encrypted, is neither a proof nor a fault."""
    assert of(etag) is Verification.NONE


def test_no_etag_proves_nothing() -> None:
    """Storage that answers none leaves the file unverified."""
    assert verify({}, DIGEST) is Verification.NONE
    assert plain_etag({}) is None
    assert plain_etag({"etag": '""'}) is None


def test_the_etag_is_kept_without_its_quotes() -> None:
    """The manifest holds the tag itself."""
    assert plain_etag({"etag": 'W/"abc-2"'}) == "abc-2"


@given(st.binary(min_size=16, max_size=16))
def test_only_the_digest_itself_matches(md5: bytes) -> None:
    """Any other 16 bytes are a mismatch."""
    assert (of(md5.hex()) is Verification.MATCH) == (md5 == DIGEST.md5)


@given(st.text())
def test_no_etag_makes_it_fail(etag: str) -> None:
    """Whatever storage answers, there is a verdict, and MATCH only for the digest."""
    assert of(etag) is not Verification.MATCH or DIGEST.hex in etag.lower()


@pytest.mark.parametrize(
    "header",
    [{"x-amz-server-side-encryption": "aws:kms"}, {"x-amz-server-side-encryption-customer-algorithm": "AES256"}],
)
def test_the_etag_of_an_object_with_a_key_of_its_own_proves_nothing(header: dict[str, str]) -> None:
    """It has 32 hex digits and is not the MD5; the bytes may well be right."""
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
def test_a_checksum_that_storage_answers_proves_what_an_opaque_etag_does_not(header: str, value: str) -> None:
    """It is compared where the whole of what was sent is at hand, which it is for small files."""
    digest = Digest(hashlib.md5(b"hello").digest())
    answered = {"etag": '"opaque-2"', header: value}
    assert verify(answered, digest, b"hello") is Verification.MATCH
    assert verify(answered, digest, b"other") is Verification.MISMATCH
    assert verify(answered, digest) is Verification.NONE
