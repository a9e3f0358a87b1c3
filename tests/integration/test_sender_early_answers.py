"""Answers that come before the body is out: what storage says is heard, and no success is believed too early."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from scripted_server import OK, Connection, Script, ca_file, certified, echo, serving
from sender_helpers import BLOCK, BOTH, LARGE, LEAN, FileBody, answered, next_works, outcome, using

from bulkup.model.http import StorageAnswer
from bulkup.model.problems import Problem

REFUSAL = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nNope"
TOO_LARGE = b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 4\r\n\r\nNope"


def refusing(answer: bytes, *, reads: bool) -> Script:
    """Answer after the head, and keep the connection, reading on or not."""

    async def script(connection: Connection) -> None:
        await connection.begun()
        await connection.part()
        connection.write(answer)
        if not reads:
            connection.stop_reading()
            await asyncio.Event().wait()
        await connection.until_end()

    return script


@BOTH
@pytest.mark.parametrize("answer", [REFUSAL, TOO_LARGE], ids=["kept", "to be closed"])
@pytest.mark.parametrize("reads", [True, False], ids=["reads on", "reads no more"])
async def test_a_refusal_is_heard_at_once(sender: str, answer: bytes, reads: bool) -> None:
    """The rest of the body is not sent, its reading ends, and the connection is not used again."""
    async with serving(refusing(answer, reads=reads)) as server, using(sender) as transport:
        body = FileBody(BLOCK, LARGE * 8, before=lambda: asyncio.sleep(0.001))  # the answer comes between two pieces
        got = await answered(transport, server.url, body)
        assert (got.status, got.body) == (int(answer[9:12]), b"Nope")
        assert body.taken < body.size
        if reads:
            await server.connections[0].ended.wait()
        await next_works(transport, server)
    assert len(server.connections) == 2


@BOTH
async def test_a_refusal_is_heard_while_the_disk_is_waited_for(sender: str) -> None:
    """Nobody waits for a piece that is not wanted any more."""
    held = asyncio.Event()
    async with serving(refusing(REFUSAL, reads=True)) as server, using(sender) as transport:
        body = FileBody(BLOCK, LARGE, before=held.wait)
        assert (await answered(transport, server.url, body)).status == 403
        await next_works(transport, server)


@BOTH
async def test_a_refusal_is_heard_while_nothing_can_be_written(sender: str) -> None:
    """The buffers on the way are full, and the server has stopped reading."""
    async with serving(refusing(REFUSAL, reads=False)) as server, using(sender) as transport:
        body = FileBody(BLOCK, LARGE * 64)
        assert (await answered(transport, server.url, body)).status == 403
        assert body.taken < body.size
        await next_works(transport, server)


@LEAN
@pytest.mark.parametrize("act", ["close", "reset"])
@pytest.mark.parametrize("times", [1, 4, LARGE], ids=["small", "medium", "large"])
async def test_a_refusal_is_not_drowned_in_a_reset(sender: str, times: int, act: str) -> None:
    """A server that answers and closes with the body unread breaks the connection; the answer is there all the same."""

    async def script(connection: Connection) -> None:
        await connection.begun()
        await connection.part()
        connection.write(TOO_LARGE)
        connection.close() if act == "close" else connection.reset()

    async with serving(*[script] * 20) as server, using(sender) as transport:
        for _ in range(20):
            answer = await outcome(transport, server.url, FileBody(BLOCK, times, before=lambda: asyncio.sleep(0)))
            assert isinstance(answer, StorageAnswer), answer
            assert (answer.status, answer.body) == (413, b"Nope")
        await next_works(transport, server)


@LEAN
async def test_a_refusal_over_tls_is_not_drowned_either(sender: str, tmp_path: Path) -> None:
    """It came before the end, so it is read before the end."""

    async def script(connection: Connection) -> None:
        await connection.begun()
        await connection.part()
        connection.write(TOO_LARGE)
        connection.close()

    async with (
        serving(*[script] * 10, tls=certified()) as server,
        using(sender, ca_file=ca_file(tmp_path)) as transport,
    ):
        for _ in range(10):
            body = FileBody(BLOCK, LARGE, before=lambda: asyncio.sleep(0))
            assert (await answered(transport, server.url, body)).status == 413
        await next_works(transport, server)


@BOTH
@pytest.mark.parametrize("reads", [True, False], ids=["reads on", "reads no more"])
async def test_a_success_before_the_body_is_out_is_seen_to_be_none(sender: str, reads: bool) -> None:
    """It is a fault, or the rest is sent, or the body was not taken to its end: from that the pipeline tells."""
    async with serving(refusing(OK, reads=reads)) as server, using(sender, idle_timeout=2) as transport:
        body = FileBody(BLOCK, LARGE * 8, before=lambda: asyncio.sleep(0))
        answer = await outcome(transport, server.url, body)
        assert isinstance(answer, Problem) or body.taken < body.size
        await next_works(transport, server)


class ToItsEnd(FileBody):
    """Notes that it was asked for its end, as a file's body does: it waits for nothing after its last piece."""

    whole = False

    async def chunks(self) -> AsyncGenerator[memoryview, None]:
        async with contextlib.aclosing(super().chunks()) as chunks:
            async for chunk in chunks:
                yield chunk
        self.whole = True


@BOTH
@pytest.mark.parametrize("times", [1, 8, 24])
async def test_an_answer_to_all_of_it_is_not_early(sender: str, times: int) -> None:
    """However soon it comes: the body is asked for its end, and the connection is kept."""
    async with serving() as server, using(sender) as transport:
        for _ in range(10):
            body = ToItsEnd(BLOCK, times)
            assert (await answered(transport, server.url, body)).status == 200
            assert body.whole
    assert len(server.connections) == 1


@BOTH
async def test_a_redirect_before_the_body_is_out_is_followed_with_all_of_it(sender: str) -> None:
    """S3 answers so for a new bucket, as soon as it has the head."""
    moved = b"HTTP/1.1 307 Temporary Redirect\r\nLocation: /there\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    async with serving(refusing(moved, reads=True)) as server, using(sender) as transport:
        body = FileBody(BLOCK, LARGE)
        answer = await answered(transport, server.url, body)
    assert (answer.status, answer.headers["x-target"]) == (200, "/there")
    assert server.connections[1].requests[0].body == BLOCK * LARGE
    assert body.starts == 2


@BOTH
async def test_news_on_the_way_are_no_answer(sender: str) -> None:
    """102 and 103 come while the body goes out (RFC 9110, 15.2)."""

    async def script(connection: Connection) -> None:
        for _ in range(2):
            await connection.begun()
            connection.write(b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
            request = await connection.rest()
            connection.write(b"HTTP/1.1 102 Processing\r\nX-Target: /wrong\r\n\r\n" + echo(request))

    async with serving(script) as server, using(sender) as transport:
        for _ in range(2):
            answer = await answered(transport, server.url, FileBody(BLOCK, LARGE))
            assert (answer.status, answer.headers["x-target"]) == (200, "/k")
            assert "link" not in answer.headers
    assert len(server.connections) == 1
