"""Answers that arrive before the whole body is sent: refusals are received, and successes are not believed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from scripted_server import OK, Connection, Script, ca_file, certified, echo, serving
from sender_helpers import BLOCK, BOTH, LARGE, LEAN, FileBody, InMemory, answered, next_works, outcome, using

from bulkup.model.http import StorageAnswer
from bulkup.model.problems import Problem

REFUSAL = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nNope"
TOO_LARGE = b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 4\r\n\r\nNope"


def refusing(answer: bytes, *, reads: bool) -> Script:
    """Answer after the head, and keep the connection open, with or without reading."""

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
async def test_a_refusal_stops_the_body(sender: str, answer: bytes, reads: bool) -> None:
    """The rest is not sent, the body is closed, and the connection is not used again."""
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
async def test_a_refusal_while_the_disk_is_slow(sender: str) -> None:
    """The sender does not wait for the next piece."""
    held = asyncio.Event()
    async with serving(refusing(REFUSAL, reads=True)) as server, using(sender) as transport:
        body = FileBody(BLOCK, LARGE, before=held.wait)
        assert (await answered(transport, server.url, body)).status == 403
        await next_works(transport, server)


@BOTH
async def test_a_refusal_while_the_buffers_are_full(sender: str) -> None:
    """The server has stopped reading."""
    async with serving(refusing(REFUSAL, reads=False)) as server, using(sender) as transport:
        body = FileBody(BLOCK, LARGE * 64)
        assert (await answered(transport, server.url, body)).status == 403
        assert body.taken < body.size
        await next_works(transport, server)


@LEAN
@pytest.mark.parametrize("act", ["close", "reset"])
@pytest.mark.parametrize("times", [1, 4, LARGE], ids=["small", "medium", "large"])
async def test_a_refusal_is_received_despite_a_reset(sender: str, times: int, act: str) -> None:
    """A server that answers and closes without reading the body resets the connection."""

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
async def test_a_refusal_over_tls_is_received_despite_a_reset(sender: str, tmp_path: Path) -> None:

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
async def test_an_early_success_is_not_believed(sender: str, reads: bool) -> None:
    """It is a fault, the rest is sent, or the body was not read to its end, which the pipeline checks."""
    async with serving(refusing(OK, reads=reads)) as server, using(sender, idle_timeout=2) as transport:
        body = FileBody(BLOCK, LARGE * 8, before=lambda: asyncio.sleep(0))
        answer = await outcome(transport, server.url, body)
        assert isinstance(answer, Problem) or body.taken < body.size
        await next_works(transport, server)


class BodyReadToEnd(FileBody):
    """Notes whether it was read to its end, as the body of a file does."""

    whole = False

    async def chunks(self) -> AsyncGenerator[memoryview, None]:
        async with contextlib.aclosing(super().chunks()) as chunks:
            async for chunk in chunks:
                yield chunk
        self.whole = True


@BOTH
@pytest.mark.parametrize("times", [1, 8, 24])
async def test_an_answer_right_after_the_last_byte_is_not_early(sender: str, times: int) -> None:
    """The body is read to its end, and the connection is kept."""
    async with serving() as server, using(sender) as transport:
        for _ in range(10):
            body = BodyReadToEnd(BLOCK, times)
            assert (await answered(transport, server.url, body)).status == 200
            assert body.whole
    assert len(server.connections) == 1


@BOTH
async def test_an_early_redirect_is_followed_with_the_whole_body(sender: str) -> None:
    """S3 redirects for a new bucket as soon as it has the head."""
    moved = b"HTTP/1.1 307 Temporary Redirect\r\nLocation: /there\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    async with serving(refusing(moved, reads=True)) as server, using(sender) as transport:
        body = FileBody(BLOCK, LARGE)
        answer = await answered(transport, server.url, body)
    assert (answer.status, answer.headers["x-target"]) == (200, "/there")
    assert server.connections[1].requests[0].body == BLOCK * LARGE
    assert body.starts == 2


@BOTH
async def test_interim_answers_are_skipped(sender: str) -> None:
    """102 and 103 while the body is sent (RFC 9110 15.2)."""

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


def answering_without_reading(answer: bytes) -> Script:
    """Answer as soon as the head has arrived, and leave the body unread."""

    async def script(connection: Connection) -> None:
        await connection.begun()
        connection.stop_reading()
        connection.write(answer)
        await asyncio.Event().wait()

    return script


@BOTH
@pytest.mark.parametrize("over_tls", [False, True], ids=["plain", "TLS"])
@pytest.mark.parametrize("size", [500_000, 1_000_000])
async def test_an_answer_before_the_body_has_left_is_early(
    sender: str, size: int, over_tls: bool, tmp_path: Path
) -> None:
    """The sender has written the body; it waits in the buffers of this machine. The connection is not used again."""
    tls, more = (certified(), {"ca_file": ca_file(tmp_path)}) if over_tls else (None, {})
    script = answering_without_reading(OK)
    async with serving(script, tls=tls, tiny=True) as server, using(sender, **more) as transport:
        answer = await answered(transport, server.url, InMemory(bytes(size)))
        assert (answer.status, answer.early) == (200, True)
        assert not (await answered(transport, server.url)).early
    assert len(server.connections) == 2


@BOTH
@pytest.mark.parametrize("size", [0, 1, 10_000, 1_000_000])
async def test_an_answer_to_a_whole_body_is_not_early(sender: str, size: int) -> None:
    """Many times on one connection, at once with other requests."""
    async with serving() as server, using(sender) as transport:
        for _ in range(10):
            bodies = [InMemory(bytes(size)), FileBody(bytes(size), 2)]
            answers = await asyncio.gather(*[answered(transport, server.url, body) for body in bodies])
            assert [answer.early for answer in answers] == [False, False]
