"""Answers to both senders: valid ones are read, invalid ones are faults, and neither affects the next request."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Mapping
from typing import Any

import pytest
from scripted_server import Connection, Request, Script, serving
from sender_helpers import BOTH, LEAN, answered, next_works, outcome, using

from bulkup.model.http import StorageAnswer
from bulkup.model.problems import Problem, ProblemKind

LENGTH_5 = b"Content-Length: 5\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def saying(answer: bytes, *, end: bool = False) -> Script:
    """Answer one request with these bytes, then close or continue normally."""

    async def script(connection: Connection) -> None:
        await connection.request()
        connection.write(answer)
        if not end:
            await connection.answer_all()

    return script


def ok(*lines: bytes, body: bytes = b"hello") -> bytes:
    return b"HTTP/1.1 200 OK\r\n" + b"".join(line + b"\r\n" for line in lines) + LENGTH_5 + b"\r\n" + body


GOOD = {
    "plain": (ok(), 200, b"hello"),
    "no reason": (b"HTTP/1.1 200 \r\n" + LENGTH_5 + b"\r\nhello", 200, b"hello"),
    "unknown status": (b"HTTP/1.1 599 Odd\r\n" + LENGTH_5 + b"\r\nhello", 599, b"hello"),
    "no length": (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello", 200, b"hello"),
    "http 1.0": (b"HTTP/1.0 200 OK\r\n\r\nhello", 200, b"hello"),
    "http 1.0 with a length": (b"HTTP/1.0 200 OK\r\n" + LENGTH_5 + b"\r\nhello", 200, b"hello"),
    "no content": (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
    "not modified": (b"HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n", 304, b""),
    "chunks": (CHUNKED + b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", 200, b"hello"),
    "chunks with all there is": (CHUNKED + b"005;a=b\r\nhello\r\n0;c\r\nX-Trailer: 1\r\n\r\n", 200, b"hello"),
    "chunks in capitals": (CHUNKED + b"A\r\nhellohello\r\n0\r\n\r\n", 200, b"hellohello"),
    "chunks of a byte each": (CHUNKED + b"1\r\nx\r\n" * 60_000 + b"0\r\n\r\n", 200, b"x" * 60_000),
    "no chunks": (CHUNKED + b"0\r\n\r\n", 200, b""),
    "spaces around values": (ok(b"ETag: \t x  "), 200, b"hello"),
    "a long header": (ok(b"X-Long: " + b"x" * 7000), 200, b"hello"),
    "fifty headers": (ok(*(b"X-%d: %d" % (number, number) for number in range(50))), 200, b"hello"),
    "headers twice": (ok(b"X-A: 1", b"X-A: 2"), 200, b"hello"),
    "a length of nothing": (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, b""),
    "news": (b"HTTP/1.1 103 Hints\r\nLink: x\r\n\r\n" * 5 + ok(), 200, b"hello"),
    "a tiny answer to much": (b"HTTP/1.1 200 OK\r\nContent-Length:5\r\n\r\nhello", 200, b"hello"),
}
BAD = {
    "another protocol": b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    "tls": b"\x15\x03\x03\x00\x02\x02\x28",
    "http/2": b"\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x80",
    "zeros": bytes(4096),
    "ones": b"\xff" * 4096,
    "a page": b"<html>\r\n<body>\r\n</body></html>\r\n\r\n",
    "a version that is none": b"HTTP/x.y 200 OK\r\n" + LENGTH_5 + b"\r\nhello",
    "a status that is none": b"HTTP/1.1 abc OK\r\n" + LENGTH_5 + b"\r\nhello",
    "a status with four digits": b"HTTP/1.1 2000 OK\r\n" + LENGTH_5 + b"\r\nhello",
    "a status with two digits": b"HTTP/1.1 20 OK\r\n" + LENGTH_5 + b"\r\nhello",
    "a header without a colon": ok(b"Nonsense"),
    "a header without a name": ok(b": x"),
    "a space before the colon": ok(b"X-A : 1"),
    "a control character": ok(b"X-A: a\0b"),
    "a header that does not end": b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 1_000_000,
    "ten thousand headers": ok(*(b"X-%d: y" % number for number in range(10_000))),
    "a negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello",
    "a length in words": b"HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\nhello",
    "a length beyond all": b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\nhello",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    "a chunk of no size": CHUNKED + b"\r\nhello\r\n0\r\n\r\n",
    "a chunk in words": CHUNKED + b"xyz\r\nhello\r\n0\r\n\r\n",
    "a negative chunk": CHUNKED + b"-5\r\nhello\r\n0\r\n\r\n",
    "a chunk beyond all": CHUNKED + b"fffffffffffffffff\r\nhello\r\n0\r\n\r\n",
    "a chunk longer than told": CHUNKED + b"3\r\nhello\r\n0\r\n\r\n",
}
# What readers differ in: an answer or a fault, as long as the next request has its own.
EITHER = {
    "folded headers": ok(b"X-A: 1\r\n  2\r\n\t3"),
    "lines that end in LF alone": b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello",
    "empty lines before it": b"\r\n\r\n" + ok(),
    "one length twice": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n" + LENGTH_5 + b"\r\nhello",
    "a length and chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + LENGTH_5 + b"\r\n0\r\n\r\n",
    "an encoding that nobody knows": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: secret\r\n" + LENGTH_5 + b"\r\nhello",
    "nothing with a body": b"HTTP/1.1 204 No Content\r\n" + LENGTH_5 + b"\r\nhello",
    "unchanged with a body": b"HTTP/1.1 304 Not Modified\r\n" + LENGTH_5 + b"\r\nhello",
    "a head and no body": b"HTTP/1.1 200 OK\r\nConnection: close\r\nETag: x\r\n\r\n",
    "another version": b"HTTP/2.0 200 OK\r\n" + LENGTH_5 + b"\r\nhello",
    "a version from before": b"HTTP/0.9 200 OK\r\n" + LENGTH_5 + b"\r\nhello",
    "small letters": b"http/1.1 200 ok\r\n" + LENGTH_5 + b"\r\nhello",
    "a bare CR": ok(b"X-A: a\rb"),
    "a status of nothing": b"HTTP/1.1 000 X\r\n" + LENGTH_5 + b"\r\nhello",
    "no reason and no space": b"HTTP/1.1 200\r\n" + LENGTH_5 + b"\r\nhello",
    "an upgrade that nobody asked for": ok(b"Upgrade: h2c", b"Connection: upgrade"),
    "not enough of a body": b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello",
    "a hundred headers": ok(*(b"X-%d: y" % number for number in range(120))),
    "gzip that is none": ok(b"Content-Encoding: gzip"),
    "switching protocols": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\nxyz",
    "thirty news": b"HTTP/1.1 102 Processing\r\n\r\n" * 30 + ok(),
}


def cases(table: Mapping[str, Any]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", table.values(), ids=table.keys())


@BOTH
@cases(GOOD)
async def test_valid_answers_are_read(sender: str, case: tuple[bytes, int, bytes]) -> None:
    """Completely, and no further."""
    data, status, body = case
    async with serving(saying(data, end=b"h: " not in data.lower())) as server, using(sender) as transport:
        answer = await answered(transport, server.url)
        assert (answer.status, answer.body) == (status, body)
        assert "link" not in answer.headers
        await next_works(transport, server)


@BOTH
@pytest.mark.parametrize("end", [True, False], ids=["then closed", "then silent"])
@cases(BAD)
async def test_an_invalid_answer_is_a_transient_problem(sender: str, case: bytes, end: bool) -> None:
    """The connection is not used again."""
    # Silence after a part of an answer takes its time to show.
    async with serving(*[saying(case, end=end)] * 2) as server, using(sender, idle_timeout=0.8) as transport:
        problem = await outcome(transport, server.url)
        assert isinstance(problem, Problem), problem
        assert (problem.kind, problem.maybe_created) == (ProblemKind.TRANSIENT, True)
        server.scripts = []
        await next_works(transport, server)


@BOTH
@cases(EITHER)
async def test_ambiguous_answers_do_not_affect_the_next_request(sender: str, case: bytes) -> None:
    """Each one is an answer or a fault."""
    async with serving(*[saying(case, end=False)] * 2) as server, using(sender, idle_timeout=0.8) as transport:
        result = await outcome(transport, server.url)
        assert isinstance(result, StorageAnswer) or result.kind is ProblemKind.TRANSIENT
        server.scripts = []
        for _ in range(2):
            await next_works(transport, server)


@BOTH
async def test_header_values_are_valid_text(sender: str) -> None:
    """Invalid UTF-8 is replaced, so that JSON and the journal can hold it."""
    async with serving(saying(ok(b"X-Utf-8: \xc3\xa9", b"X-Odd: a\xffb"))) as server, using(sender) as transport:
        headers = (await answered(transport, server.url)).headers
    assert headers["x-utf-8"] == "\u00e9"
    assert headers["x-odd"].encode()[:1] == b"a"


@BOTH
async def test_a_compressed_body_is_decompressed_if_it_was_requested(sender: str) -> None:
    """The text of a store's error decides the next step."""

    async def script(connection: Connection) -> None:
        request = await connection.request()
        text = b"<Code>AccessDenied</Code>"
        packed = gzip.compress(text) if accepts_gzip(request) else text
        encoding = b"Content-Encoding: gzip\r\n" if accepts_gzip(request) else b""
        connection.write(b"HTTP/1.1 403 X\r\n%sContent-Length: %d\r\n\r\n%s" % (encoding, len(packed), packed))

    async with serving(script) as server, using(sender) as transport:
        assert (await answered(transport, server.url)).body == b"<Code>AccessDenied</Code>"


def accepts_gzip(request: Request) -> bool:
    return "gzip" in request.headers.get("accept-encoding", "")


@BOTH
@pytest.mark.parametrize("framing", [b"Content-Length: 4000000\r\n", b"Connection: close\r\n"])
async def test_only_the_beginning_of_a_long_answer_is_kept(sender: str, framing: bytes) -> None:
    """The sender does not wait for its end, and the next request has a new connection."""
    long = saying(b"HTTP/1.1 500 X\r\n" + framing + b"\r\n" + b"x" * 4_000_000)
    async with serving(long) as server, using(sender) as transport:
        answer = await answered(transport, server.url)
        assert (answer.status, answer.body) == (500, b"x" * 65536)
        await next_works(transport, server)
    assert len(server.connections) == 2


ENDLESS = {
    "continue": (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 50),
    "hints": (b"", b"HTTP/1.1 103 Hints\r\nX-A: 1\r\n\r\n" * 50),
    "headers": (b"HTTP/1.1 200 OK\r\n", b"X-A: 1\r\n" * 100),
    "a header": (b"HTTP/1.1 200 OK\r\nX-A: ", b"a" * 1000),
    "an extension": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1", b";a" * 500),
    "trailers": (CHUNKED + b"0\r\n", b"X-A: 1\r\n" * 100),
    "a trailer": (CHUNKED + b"0\r\nX-A: ", b"a" * 1000),
    "empty lines": (b"", b"\r\n" * 500),
}


@BOTH
@cases(ENDLESS)
async def test_an_endless_answer_times_out(sender: str, case: tuple[bytes, bytes]) -> None:
    start, more = case

    async def script(connection: Connection) -> None:
        await connection.request()
        connection.write(start)
        while connection.open:
            connection.write(more[:200])
            await asyncio.sleep(0.002)

    async with serving(*[script] * 2) as server, using(sender, idle_timeout=0.8, connect_timeout=1) as transport:
        problem = await outcome(transport, server.url)
        assert isinstance(problem, Problem), problem
        assert problem.kind is ProblemKind.TRANSIENT
        server.scripts = []
        await next_works(transport, server)


@LEAN
@cases(ENDLESS)
async def test_an_endless_answer_does_not_fill_the_memory(sender: str, case: tuple[bytes, bytes]) -> None:
    """Even if the server sends quickly."""
    start, more = case
    written = 0

    async def script(connection: Connection) -> None:
        nonlocal written
        await connection.request()
        connection.write(start)
        while connection.open and written < 64 * 1024**2:
            connection.write(more)
            written += len(more)
            await connection.writer.drain()
            await asyncio.sleep(0)

    async with serving(script) as server, using(sender) as transport:
        problem = await outcome(transport, server.url)
        assert isinstance(problem, Problem), problem
        assert problem.kind is ProblemKind.TRANSIENT
        await next_works(transport, server)
    assert written < 8 * 1024**2  # and no more than that was on the way
