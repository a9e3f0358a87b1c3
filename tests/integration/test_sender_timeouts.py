"""Timeouts of both senders, which depend on progress, and the backpressure on bodies."""

from __future__ import annotations

import asyncio
import functools

import pytest
import sender_helpers
from scripted_server import OK, Connection, Script, echo, serving, settled
from sender_helpers import BLOCK, BOTH, FileBody, InMemory, answered, next_works, outcome

from bulkup.model.problems import Problem, ProblemKind

# The time for buffered bytes, which would be minutes in these tests, becomes zero.
using = functools.partial(sender_helpers.using, slowest=1024**4)


async def says_nothing(connection: Connection) -> None:
    await connection.until_end()


async def reads_nothing(connection: Connection) -> None:
    connection.stop_reading()
    await asyncio.Event().wait()


async def stops_in_the_body(connection: Connection) -> None:
    await connection.begun()
    await connection.part()
    await reads_nothing(connection)


async def stops_in_its_head(connection: Connection) -> None:
    await connection.request()
    connection.write(OK[:20])
    await connection.until_end()


async def stops_in_its_body(connection: Connection) -> None:
    await connection.request()
    connection.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello")
    await connection.until_end()


async def stops_before_its_end(connection: Connection) -> None:
    await connection.request()
    connection.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n")
    await connection.until_end()


@BOTH
@pytest.mark.parametrize(
    "script",
    [says_nothing, reads_nothing, stops_in_the_body, stops_in_its_head, stops_in_its_body, stops_before_its_end],
    ids=lambda script: script.__name__,
)
@pytest.mark.parametrize("times", [0, 8, 192], ids=["in memory", "small", "large"])
async def test_an_idle_connection_times_out(sender: str, script: Script, times: int) -> None:
    """At any point. The problem is transient, and the connection is not used again."""
    async with serving(script) as server:
        async with using(sender, idle_timeout=0.2, connect_timeout=2) as transport:
            body = FileBody(BLOCK, times) if times else InMemory()
            problem = await outcome(transport, server.url, body)
            assert isinstance(problem, Problem)
            assert (problem.kind, problem.maybe_created) == (ProblemKind.TRANSIENT, True)
            assert "no progress for 0.2 s" in problem.message
        async with using(sender) as transport:
            await next_works(transport, server)
    assert len(server.connections) == 2


@BOTH
async def test_a_slow_server_does_not_time_out(sender: str) -> None:
    """While it makes progress; the whole upload has no time limit."""
    size, buffers = 16 * 1024**2, 8 * 1024**2

    async def slow(connection: Connection) -> None:
        await connection.begun()
        started = asyncio.get_running_loop().time()
        # Bytes in the buffers on the way have left the sender, which then sees nothing of their progress.
        for _ in range((size - buffers) // len(BLOCK) // 4):
            await connection.part()
            await asyncio.sleep(0.05)
        took.append(asyncio.get_running_loop().time() - started)
        connection.write(echo(await connection.rest()))

    took = list[float]()
    async with serving(slow) as server, using(sender, idle_timeout=1.5) as transport:
        assert (await answered(transport, server.url, FileBody(BLOCK, size // len(BLOCK)))).status == 200
    assert took[0] > 1.5


@BOTH
async def test_a_slow_disk_does_not_time_out(sender: str) -> None:
    """While the body yields some bytes."""
    async with serving() as server, using(sender, idle_timeout=1) as transport:
        body = FileBody(BLOCK, 15, before=lambda: asyncio.sleep(0.08))
        assert (await answered(transport, server.url, body)).status == 200


@BOTH
async def test_each_request_has_its_own_timeout(sender: str) -> None:
    """A connection may be used for longer than the timeout."""
    async with serving() as server, using(sender, idle_timeout=1) as transport:
        for _ in range(6):
            await next_works(transport, server)
            await asyncio.sleep(0.2)
    assert len(server.connections) == 1


@BOTH
@pytest.mark.parametrize("asked", [True, False], ids=["told to go on", "small enough not to ask"])
async def test_a_body_is_read_only_as_fast_as_it_is_sent(sender: str, asked: bool) -> None:
    """If the server does not read, only a bounded part of the body is read into memory."""

    async def stuck(connection: Connection) -> None:
        await connection.begun()
        await reads_nothing(connection)

    pieces = 2048 if asked else 15  # 128 MiB, or a little less than is asked for
    async with serving(stuck, tiny=True) as server, using(sender) as transport:
        body = FileBody(BLOCK, pieces)
        task = asyncio.create_task(outcome(transport, server.url, body))
        await stands_still(body)
        # The buffers of the system (a few MiB at the most), the sender's own, and a piece in hand.
        assert 0 < body.taken <= 12 * 1024**2
        assert body.ends == 0 or not asked
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert body.ends == body.starts
        await next_works(transport, server)


async def stands_still(body: FileBody) -> None:
    """Wait until nothing more is read from a body."""
    seen = -1
    while seen != body.taken or not body.taken:
        seen = body.taken
        await asyncio.sleep(0.1)
    await settled()
