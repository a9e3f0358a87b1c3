"""Large bodies ask before they go (`Expect: 100-continue`, RFC 9110, 10.1.1), and go whatever a server makes of it."""

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
async def test_no_byte_goes_before_the_server_says_so(sender: str) -> None:
    """Then all of them do."""

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
async def test_small_bodies_do_not_ask(sender: str) -> None:
    """It would cost a journey there and back for each."""
    async with serving() as server, using(sender) as transport:
        for body in (FileBody(), FileBody(BLOCK, 4)):
            await answered(transport, server.url, body)
    assert not any(asks(request) for request in server.requests)


@LEAN
@pytest.mark.parametrize("status", [200, 307, 403, 413, 503])
async def test_a_final_answer_takes_the_place_of_the_word_to_go_on(sender: str, status: int) -> None:
    """Nothing of the body is read then. A success for nothing is none."""

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
async def test_a_server_that_cannot_be_asked_gets_it_without_asking(sender: str) -> None:
    """417 is about the question and not about the file."""

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
async def test_a_server_that_never_answers_the_question_gets_the_body(sender: str) -> None:
    """HTTP/1.0 ones do not know it."""

    async def script(connection: Connection) -> None:
        await connection.head()
        connection.write(echo(await connection.rest()))

    async with serving(script) as server, using(sender, idle_timeout=0.5) as transport:
        body = FileBody(BLOCK, HUGE)
        assert (await answered(transport, server.url, body)).status == 200
    assert (len(server.requests[0].body), body.starts) == (body.size, 1)


@BOTH
async def test_a_word_to_go_on_that_comes_late_or_twice_does_no_harm(sender: str) -> None:
    """Wherever it stands before the answer."""

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
async def test_a_server_that_closes_when_it_is_asked_is_a_fault(sender: str) -> None:
    """No byte of the body was read for it."""

    async def script(connection: Connection) -> None:
        await connection.head()

    async with serving(script) as server, using(sender) as transport:
        body = FileBody(BLOCK, HUGE)
        problem = await outcome(transport, server.url, body)
        assert isinstance(problem, Problem)
        assert (problem.kind, body.starts) == (ProblemKind.TRANSIENT, 0)
        await next_works(transport, server)


@LEAN
async def test_a_stale_connection_shows_before_anything_of_a_large_body_is_read(sender: str) -> None:
    """Then it is asked once more, on a new one."""

    async def script(connection: Connection) -> None:
        connection.write(echo(await connection.request()))
        await connection.head()

    async with serving(script) as server, using(sender) as transport:
        await next_works(transport, server)
        body = FileBody(BLOCK, HUGE)
        assert (await answered(transport, server.url, body)).status == 200
    assert (body.starts, len(server.connections)) == (1, 2)


@LEAN
async def test_the_wait_for_an_answer_can_be_cancelled(sender: str) -> None:
    """Nothing is left over, and the connection is not used again."""

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
