"""Connections that break after each byte of a request, and after each byte of its answer."""

from __future__ import annotations

import pytest
from scripted_server import Connection, Script, Server, echo, serving, settled
from sender_helpers import BOTH, next_works, outcome, using

from bulkup.model.http import StorageAnswer
from bulkup.model.problems import Problem, ProblemKind
from bulkup.transport import Transport

PLAIN = b'HTTP/1.1 200 OK\r\nETag: "x"\r\nContent-Length: 5\r\n\r\nhello'
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nX-T: 1\r\n\r\n"
AFTER_NEWS = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 Slow\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello"
ANSWERS = pytest.mark.parametrize("answer", [PLAIN, CHUNKED, AFTER_NEWS], ids=["plain", "chunked", "after news"])
ENDS = pytest.mark.parametrize("end", ["close", "reset", "half_close"])
STEPS = {"close": 1, "reset": 4, "half_close": 5}


def places(length: int, end: str, sender: str) -> list[int]:
    """Return the positions to break at: all of them for one variant, some for the others, and always the last."""
    step = STEPS[end] * (3 if sender == "aiohttp" else 1)
    return [length - back for back in range(0, length + 1, step)]


async def length_of_a_request(transport: Transport, server: Server) -> int:
    await outcome(transport, server.url)
    return len(server.requests[-1].head) + len(server.requests[-1].body)


async def all_closed(server: Server) -> None:
    """Close open connections, so that the next request needs a new one."""
    for connection in server.connections:
        connection.close()
    server.connections.clear()
    await settled()


def cut_request(count: int, end: str, *, second: bool) -> Script:
    """Read some bytes of the first or second request, then break the connection."""

    async def script(connection: Connection) -> None:
        if second:
            connection.write(echo(await connection.request()))
        await connection.read(count)
        getattr(connection, end)()
        await connection.until_end()

    return script


def cut_answer(answer: bytes, count: int, end: str) -> Script:
    async def script(connection: Connection) -> None:
        await connection.request()
        connection.write(answer[:count])
        await settled()  # a reset discards bytes that were not read
        getattr(connection, end)()
        await connection.until_end()

    return script


@BOTH
@ENDS
async def test_each_byte_of_a_request(sender: str, end: str) -> None:
    """The problem is transient, the server may have acted, and the body is closed."""
    async with serving() as server, using(sender) as transport:
        for count in places(await length_of_a_request(transport, server), end, sender):
            await all_closed(server)
            # aiohttp's client repeats a PUT on a new connection.
            server.scripts = [cut_request(count, end, second=False)] * 2
            problem = await outcome(transport, server.url)
            assert isinstance(problem, Problem), count
            assert (problem.kind, problem.maybe_created) == (ProblemKind.TRANSIENT, True), count
            server.scripts = []
            await next_works(transport, server)


@BOTH
@ENDS
async def test_each_byte_of_a_request_on_a_reused_connection(sender: str, end: str) -> None:
    """The request is repeated on a new connection and arrives completely."""
    async with serving() as server, using(sender) as transport:
        for count in places(await length_of_a_request(transport, server) - 1, end, sender):
            await all_closed(server)
            server.scripts = [cut_request(1 + count, end, second=True)]
            await next_works(transport, server)
            before = len(server.connections)
            answer = await outcome(transport, server.url)
            assert isinstance(answer, StorageAnswer), (count, answer)
            assert (answer.status, len(server.connections) - before) == (200, 1), count
            assert server.requests[-1].body == b"hello"


@BOTH
@ENDS
@ANSWERS
async def test_each_byte_of_an_answer(sender: str, answer: bytes, end: str) -> None:
    """A partial answer is a fault, and the next request gets its own answer."""
    async with serving() as server, using(sender) as transport:
        for count in places(len(answer), end, sender):
            await all_closed(server)
            server.scripts = [cut_answer(answer, count, end)] * 2
            result = await outcome(transport, server.url)
            if count < len(answer):
                assert isinstance(result, Problem), (count, result)
                assert (result.kind, result.maybe_created) == (ProblemKind.TRANSIENT, True), count
            else:
                assert isinstance(result, StorageAnswer), (count, result)
                assert (result.status, result.body) == (503 if b"503" in answer else 200, b"hello")
            server.scripts = []
            await next_works(transport, server)
