"""Large bodies and `Expect: 100-continue` (RFC 9110 10.1.1), with servers that handle it in different ways."""

from __future__ import annotations

import asyncio

import pytest
from scripted_server import GO_ON, Connection, Request, echo, serving, settled
from sender_helpers import BLOCK, BOTH, LEAN, FileBody, answered, next_works, outcome, using

from bulkup.model.problems import Problem, ProblemKind

HUGE = 24  # blocks; 1.5 MiB


def asks(request: Request) -> bool:
    return request.headers.get("expect") == "100-continue"


@LEAN
async def test_no_body_byte_is_sent_before_the_100(sender: str) -> None:
    """After it, all are."""

    async def script(connection: Connection) -> None:
        assert asks(await connection.head())
        await settled()
        assert body.starts == 0
        connection.write(GO_ON)
        connection.write(echo(await connection.rest()))
        await connection.answer_all()

    async with serving(script) as server, using(sender) as transport:
        body = FileBody(BLOCK, HUGE)
        assert (await answered(transport, server.url, body)).status == 200
        await next_works(transport, server)
    assert (len(server.requests[0].body), len(server.connections)) == (body.size, 1)


@LEAN
async def test_small_bodies_are_sent_without_expect(sender: str) -> None:
    """It would cost a round trip each."""
    async with serving() as server, using(sender) as transport:
        for body in (FileBody(), FileBody(BLOCK, 4)):
            await answered(transport, server.url, body)
    assert not any(asks(request) for request in server.requests)


@LEAN
@pytest.mark.parametrize("status", [200, 307, 403, 413, 503])
async def test_a_final_answer_instead_of_a_100(sender: str, status: int) -> None:
    """The body is not read, and a success is not believed."""

    async def script(connection: Connection) -> None:
        await connection.head()
        connection.write(b"HTTP/1.1 %d X\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n" % status)
        await connection.until_end()

    async with serving(script) as server, using(sender) as transport:
        body = FileBody(BLOCK, HUGE)
        result = await outcome(transport, server.url, body)
        await next_works(transport, server)
    if status == 200:
        assert isinstance(result, Problem) or body.taken < body.size  # from which the pipeline tells
    elif status == 307:
        assert not isinstance(result, Problem)
        assert (result.headers["x-target"], body.starts) == ("/there", 1)
    else:
        assert not isinstance(result, Problem)
        assert (result.status, body.starts) == (status, 0)


@BOTH
async def test_after_a_417_the_body_is_sent_without_expect(sender: str) -> None:
    """417 concerns the expectation and not the file."""

    async def script(connection: Connection) -> None:
        while asks(await connection.head()):
            connection.write(b"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n")
        connection.write(echo(await connection.rest()))

    async with serving(*[script] * 3) as server, using(sender) as transport:
        body = FileBody(BLOCK, HUGE)
        assert (await answered(transport, server.url, body)).status == 200
    assert len(server.requests[-1].body) == body.size
    assert not asks(server.requests[-1])


@BOTH
async def test_the_body_is_sent_if_no_100_comes(sender: str) -> None:
    """HTTP/1.0 servers do not know it."""

    async def script(connection: Connection) -> None:
        await connection.head()
        connection.write(echo(await connection.rest()))

    async with serving(script) as server, using(sender, idle_timeout=0.5) as transport:
        body = FileBody(BLOCK, HUGE)
        assert (await answered(transport, server.url, body)).status == 200
    assert (len(server.requests[0].body), body.starts) == (body.size, 1)


@BOTH
async def test_a_late_or_repeated_100_does_no_harm(sender: str) -> None:
    """Anywhere before the answer."""

    async def script(connection: Connection) -> None:
        await connection.head()
        connection.write(GO_ON * 2)
        await connection.rest()
        connection.write(GO_ON + echo(connection.requests[-1]))
        await connection.answer_all()

    async with serving(script) as server, using(sender) as transport:
        assert (await answered(transport, server.url, FileBody(BLOCK, HUGE))).status == 200
        await next_works(transport, server)
    assert len(server.connections) == 1


@LEAN
async def test_a_server_that_closes_instead_of_a_100_is_a_fault(sender: str) -> None:
    """The body is not read."""

    async def script(connection: Connection) -> None:
        await connection.head()

    async with serving(script) as server, using(sender) as transport:
        body = FileBody(BLOCK, HUGE)
        problem = await outcome(transport, server.url, body)
        assert isinstance(problem, Problem)
        assert (problem.kind, body.starts) == (ProblemKind.TRANSIENT, 0)
        await next_works(transport, server)


@LEAN
async def test_a_stale_connection_is_noticed_before_a_large_body_is_read(sender: str) -> None:
    """The request is repeated on a new connection."""

    async def script(connection: Connection) -> None:
        connection.write(echo(await connection.request()))
        await connection.head()

    async with serving(script) as server, using(sender) as transport:
        await next_works(transport, server)
        body = FileBody(BLOCK, HUGE)
        assert (await answered(transport, server.url, body)).status == 200
    assert (body.starts, len(server.connections)) == (1, 2)


@LEAN
async def test_the_wait_for_a_100_can_be_cancelled(sender: str) -> None:
    """Nothing is left open, and the connection is not used again."""

    async def script(connection: Connection) -> None:
        await connection.head()
        asked.set()
        await connection.until_end()

    asked = asyncio.Event()
    async with serving(script) as server, using(sender) as transport:
        body = FileBody(BLOCK, HUGE)
        task = asyncio.create_task(outcome(transport, server.url, body))
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await server.connections[0].ended.wait()
        await next_works(transport, server)
    assert body.starts == 0
