"""The parser of answers: any split of the bytes, limits, and whether the connection can be reused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.model.http import StorageAnswer
from bulkup.transport.failures import FailureKind
from bulkup.transport.lean.answer_reader import FIELDS_LIMIT, HEAD_LIMIT, INTERIM_LIMIT, AnswerReader
from bulkup.transport.lean.exchange_error import ExchangeError
from bulkup.transport.sender import ANSWER_LIMIT

PLAIN = b'HTTP/1.1 200 OK\r\nETag: "x" \r\nX-A: \xe9\r\nContent-Length: 3\r\n\r\nabc'
CHUNKED = b"HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\nETag: trailer\r\n\r\n"
CONTINUED = b"HTTP/1.1 100 Continue\r\nX-I: i\r\n\r\n" + PLAIN


def fed(*pieces: bytes, reader: AnswerReader | None = None) -> AnswerReader:
    reader = reader or AnswerReader()
    for piece in pieces:
        reader.feed(piece)
    return reader


@given(st.sampled_from([PLAIN, CHUNKED, CONTINUED]), st.lists(st.integers(1, 90), max_size=5))
def test_an_answer_is_the_same_however_its_bytes_are_split(whole: bytes, cuts: list[int]) -> None:
    """Header names are in lower case, the end is found, and the connection can be reused."""
    ends = sorted({*(cut for cut in cuts if cut < len(whole)), len(whole)})
    reader = fed(*(whole[start:end] for start, end in zip([0, *ends], ends, strict=False)))
    headers = {"transfer-encoding": "chunked"} if whole is CHUNKED else None
    fields = {"etag": '"x"', "x-a": "\ufffd", "content-length": "3"}
    assert reader.answer() == StorageAnswer(403 if whole is CHUNKED else 200, headers or fields, b"abc")
    assert (reader.complete, reader.reusable, reader.continue_received) == (True, True, whole is CONTINUED)


def test_a_reader_reads_several_answers_in_turn() -> None:
    reader = fed(CHUNKED)
    reader.reset()
    assert not reader.started
    assert fed(PLAIN, reader=reader).answer().status == 200


@pytest.mark.parametrize("more", [b"H", b"x", PLAIN, CHUNKED[:30]])
def test_bytes_after_an_answer_leave_it_unchanged_and_prevent_reuse(more: bytes) -> None:
    reader = fed(PLAIN + more)
    assert (reader.complete, reader.reusable) == (True, False)
    assert reader.answer() == fed(PLAIN).answer()


@pytest.mark.parametrize(
    "last",
    [
        b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 X\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_a_connection_that_the_server_will_close_is_not_reusable(last: bytes) -> None:
    reader = fed(last)
    assert (reader.complete, reader.reusable) == (True, False)


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        (b"HTTP/1.0 200 OK\r\n\r\nab", True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nab", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", False),
        (b"HTTP/1.1 200 OK\r\n", False),
        (b"HTTP/1.1 100 Continue\r\n\r\n", False),
        (b"", False),
    ],
)
def test_end_of_stream_completes_only_an_answer_without_a_length(text: bytes, whole: bool) -> None:
    reader = fed(*([text] if text else []))
    assert not reader.complete
    assert reader.complete_at_eof() is whole


@pytest.mark.parametrize(
    "text",
    [
        b"SSH-2.0-x\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 101 X\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 102 X\r\n\r\n" * (INTERIM_LIMIT + 1),
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: 1\r\n" % number for number in range(FIELDS_LIMIT + 1)) + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * (HEAD_LIMIT + 1),
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * (HEAD_LIMIT + 1) + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
    ids=["ssh", "101", "upgrade", "interim", "fields", "endless", "long", "two lengths", "smuggled"],
)
def test_an_invalid_or_oversized_answer_is_refused(text: bytes) -> None:
    with pytest.raises(ExchangeError) as raised:
        fed(text)
    assert raised.value.kind is FailureKind.NOT_HTTP


def test_a_long_body_is_cut_and_prevents_reuse() -> None:
    """It arrives together with its head, in one piece that is larger than the limit of a head."""
    size = 4 * ANSWER_LIMIT
    reader = fed(b"HTTP/1.1 500 X\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size)
    assert (reader.complete, reader.reusable, reader.answer().body) == (True, False, b"x" * ANSWER_LIMIT)


@pytest.mark.parametrize(
    ("fields", "joined"),
    [
        (b"ETag: a\r\nETag: b\r\n", {"etag": "a, b"}),
        (b"ETag: a\r\nX-A: 1\r\netag: b\r\nX-A: 2\r\n", {"etag": "a, b", "x-a": "2"}),
        (b"ETag: a\r\nETAG: a\r\n", {"etag": "a"}),
        (b"x-amz-checksum-crc32: a\r\nX-Amz-Checksum-CRC32: b\r\n", {"x-amz-checksum-crc32": "a, b"}),
    ],
)
def test_fields_that_are_evidence_are_joined_when_they_differ(fields: bytes, joined: dict[str, str]) -> None:
    """Of other fields the last value counts."""
    answer = fed(b"HTTP/1.1 200 OK\r\n" + fields + b"Content-Length: 0\r\n\r\n").answer()
    assert answer.headers == {**joined, "content-length": "0"}


names = st.sampled_from(
    ["ETag", "Content-Length", "Connection", "Transfer-Encoding", "Upgrade", "X_a", "x-a", "X A", ""]
)
names |= st.sampled_from(["Proxy-Connection", "Content-Encoding", "Date"])
values = st.sampled_from(
    ["0", "00", "1", '"0123"', "keep-alive", "Keep-Alive", "close", "chunked", "", "a b ", " a", "\xe9"]
)
values |= st.sampled_from(["a\tb", "a\x00", "a\nb", "0, 0", "+0", "upgrade", "h2c"])
lines = st.lists(st.tuples(names, st.sampled_from([": ", ":", ":  ", " : "]), values), max_size=4)
first_lines = st.sampled_from(
    ["HTTP/1.1 200 OK", "HTTP/1.1 201 ", "HTTP/1.1 200", "HTTP/1.0 200 OK", "HTTP/1.1 204 No"]
)


def read(*pieces: bytes) -> tuple[StorageAnswer, bool, bool, bool] | FailureKind:
    reader = AnswerReader()
    try:
        fed(*pieces, reader=reader)
    except ExchangeError as error:
        return error.kind
    return reader.answer(), reader.complete, reader.head_complete, reader.reusable


@given(first_lines, lines, st.sampled_from(["\r\n", "\n", "\r\n\r\n", "\r\nx", ""]))
def test_a_plain_answer_is_read_as_the_parser_reads_it(first: str, fields: list[tuple[str, ...]], end: str) -> None:
    """An answer in two pieces always goes through the parser."""
    fields = [("Content-Length", ": ", "0"), *fields] if len(fields) % 2 else fields
    whole = "".join(f"{line}\r\n" for line in [first, *map("".join, fields)]).encode("latin-1") + end.encode()
    assert read(whole) == read(whole[:1], whole[1:])
