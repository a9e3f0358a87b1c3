"""Checksums that a ticket says storage's answer has."""

from __future__ import annotations

import json

import pytest

from bulkup.model.files import Digest
from bulkup.model.http import StorageAnswer
from bulkup.pipeline.send.stated_checksums import verify_stated
from bulkup.pipeline.send.verification import Verification

MD5 = Digest(bytes(range(16)))
SHA256 = Digest(bytes(range(32)), "sha256")
CRC32C = Digest(bytes(4), "crc32c")


@pytest.mark.parametrize(
    ("value", "result"),
    [
        (MD5.base64, Verification.MATCH),
        (MD5.hex.upper(), Verification.MATCH),
        (f'"{MD5.hex}"', Verification.MATCH),
        (f"crc32c=AAAAAA==,md5={MD5.base64}", Verification.MATCH),
        (f"md5:{MD5.hex}", Verification.MATCH),
        ("00" * 16, Verification.MISMATCH),
        (f"md5={'0' * 32}", Verification.MISMATCH),
        (f"{MD5.hex}, {'0' * 32}", Verification.NONE),
        (SHA256.hex, Verification.NONE),
        ("0x8DB1", Verification.NONE),
        ("", Verification.NONE),
        ("a" * 5000, Verification.NONE),
    ],
)
def test_a_header(value: str, result: Verification) -> None:
    """Hex digits, Base64 or a list. A checksum of another algorithm proves nothing."""
    assert verify_stated("X-Checksum", StorageAnswer(201, {"x-checksum": value}, b""), (MD5,)) is result


def test_the_algorithm_that_is_known() -> None:
    answer = StorageAnswer(201, {"x": SHA256.base64}, b"")
    assert verify_stated("x", answer, (MD5, SHA256)) is Verification.MATCH
    assert verify_stated("x", StorageAnswer(201, {"x": "n03x6A=="}, b""), (CRC32C,)) is Verification.MISMATCH


@pytest.mark.parametrize(
    ("body", "result"),
    [
        ({"checksums": {"md5": MD5.hex}}, Verification.MATCH),
        ({"checksums": {"md5": "0" * 32}}, Verification.MISMATCH),
        ({"checksums": {"md5": 5}}, Verification.NONE),
        ({}, Verification.NONE),
        ([], Verification.NONE),
    ],
)
def test_a_field_of_the_body(body: object, result: Verification) -> None:
    answer = StorageAnswer(201, {}, json.dumps(body).encode())
    assert verify_stated("body:checksums.md5", answer, (MD5,)) is result
    assert verify_stated("body:checksums.md5", StorageAnswer(201, {}, b"<html>"), (MD5,)) is Verification.NONE
