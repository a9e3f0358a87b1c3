"""Documents in the body of storage's answers, in every form and of every size."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.providers.error_documents import code_and_message, is_error_document, is_part_of_page, plain_body


@pytest.mark.parametrize(
    ("body", "coding"),
    [
        (b"<Error/>", ""),
        (gzip.compress(b"<Error/>", mtime=0), "GZIP"),
        (gzip.compress(b"<Error/>", mtime=0), ""),
        (zlib.compress(b"<Error/>"), "deflate"),
        ("\ufeff<Error/>".encode("utf-16-le"), ""),
        ("<Error/>".encode("utf-16-be"), ""),
    ],
)
def test_a_document_is_read_in_every_coding(body: bytes, coding: str) -> None:
    assert plain_body(body, coding).removeprefix("\ufeff".encode()) == b"<Error/>"


def test_a_compressed_document_is_bounded() -> None:
    """Before it is expanded: a few kilobytes can hold gigabytes."""
    assert len(plain_body(gzip.compress(bytes(10_000_000)), "gzip")) == 65_536


def test_a_document_that_is_not_compressed_is_kept() -> None:
    assert plain_body(b"plain", "gzip") == b"plain"


@pytest.mark.parametrize("part", [b"<!--", b"<!-- -->", b"<?x?>", b"<?", b"<!DOCTYPE a [", b" ", b"<!DOCTYPE a>", b"<"])
def test_a_long_prolog_is_read_in_linear_time(part: bytes) -> None:
    body = part * (65_536 // len(part))
    assert not is_error_document(body)
    assert not is_part_of_page(body)


@pytest.mark.parametrize(
    "body",
    [
        b"<Error><Code>SlowDown</Code><Message>Later.</Message></Error>",
        b"<s:Error><s:Code> SlowDown </s:Code><s:Message>Later.</s:Message></s:Error>",
        b'{"code": "SlowDown", "message": "Later."}',
        b'{"Error": {"code": "SlowDown", "message": "Later.", "x": 1}}',
    ],
)
def test_code_and_message_are_found(body: bytes) -> None:
    assert code_and_message(body) == ("SlowDown", "Later.")


@given(st.binary(max_size=300))
def test_any_bytes_have_an_answer(body: bytes) -> None:
    plain = plain_body(body, "gzip")
    assert is_error_document(plain) in (True, False)
    assert all(isinstance(text, str) for text in code_and_message(plain))


@pytest.mark.parametrize("before", [b"\n", b" \r\n\t", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n"])
@pytest.mark.parametrize("body", [b'{"errors": [{"mess', b'{"error": {"code": "X"}}', b"<Error>", b'{"message": "fine'])
def test_white_space_and_a_byte_order_mark_change_nothing(before: bytes, body: bytes) -> None:
    assert is_error_document(before + body) == is_error_document(body)
