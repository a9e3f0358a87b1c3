"""Uploads that are cancelled at each point: no resource is left open, and no connection in use is reused."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from scripted_server import OK, Connection, Server, ca_file, certified, echo, serving, settled
from sender_helpers import BLOCK, BOTH, FileBody, InMemory, next_works, outcome, using

from bulkup.transport import Transport


async def cancelled(task: asyncio.Task[Any]) -> None:
    """Cancel a task, and assert that it ends at once."""
    task.cancel()
    async with asyncio.timeout(5):
        with pytest.raises(asyncio.CancelledError):
            await task


@contextlib.asynccontextmanager
async def begun(transport: Transport, server: Server, body: FileBody) -> AsyncIterator[None]:
    """Cancel an upload at the end of the block. Assert that its connection ends and the next upload has a new one."""
    task = asyncio.create_task(outcome(transport, server.url, body))
    yield
    assert not task.done()
    await cancelled(task)
    assert body.starts == body.ends
    before = len(server.connections)
    for connection in server.connections:
        async with asyncio.timeout(5):
            await connection.ended.wait()
    await next_works(transport, server)
    assert len(server.connections) == before + 1


@BOTH
async def test_cancel_during_the_name_lookup(sender: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No connection is opened, and another upload that waits for the same lookup is not cancelled."""
    asked, go_on = asyncio.Event(), asyncio.Event()
    lookup = asyncio.get_running_loop().getaddrinfo

    async def slow(_: str, *rest: Any, **more: Any) -> Any:
        asked.set()
        await go_on.wait()
        return await lookup("127.0.0.1", *rest, **more)

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", slow)
    async with serving() as server, using(sender) as transport:
        url = server.url.replace("127.0.0.1", "storage.test")
        tasks = [asyncio.create_task(outcome(transport, url)) for _ in range(2)]
        await asked.wait()
        await settled()
        await cancelled(tasks[0])
        go_on.set()
        assert getattr(await tasks[1], "status", None) == 200
        await settled()
        assert len(server.connections) == 1


@BOTH
async def test_cancel_while_connecting(sender: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The socket is closed."""
    loop, reached = asyncio.get_running_loop(), asyncio.Event()

    async def never(*_: Any) -> None:
        reached.set()
        await asyncio.Event().wait()

    async with serving() as server, using(sender) as transport:
        before = len(os.listdir("/dev/fd"))
        with monkeypatch.context() as patch:
            patch.setattr(loop, "sock_connect", never)
            task = asyncio.create_task(outcome(transport, server.url))
            await reached.wait()
            await cancelled(task)
        await settled()
        assert len(os.listdir("/dev/fd")) == before
        await next_works(transport, server)


@BOTH
async def test_cancel_during_the_tls_handshake(sender: str, tmp_path: Path) -> None:
    shaking = asyncio.Event()

    async def silent(connection: Connection) -> None:
        await connection.read(5)
        shaking.set()
        await connection.until_end()

    async with (
        serving(silent) as server,
        serving(tls=certified()) as other,
        using(sender, ca_file=ca_file(tmp_path)) as transport,
    ):
        task = asyncio.create_task(outcome(transport, server.url.replace("http:", "https:")))
        await shaking.wait()
        await cancelled(task)
        async with asyncio.timeout(5):
            await server.connections[0].ended.wait()
        await next_works(transport, other)


@BOTH
@pytest.mark.parametrize("times", [8, 512], ids=["small", "large"])
async def test_cancel_while_the_body_is_read(sender: str, times: int) -> None:
    """The body is closed, even if it is waiting."""
    reading, never = asyncio.Event(), asyncio.Event()

    async def read() -> None:
        reading.set()
        await never.wait()

    async with serving() as server, using(sender) as transport:
        body = FileBody(BLOCK, times, before=read)
        async with begun(transport, server, body):
            await reading.wait()


@BOTH
@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
async def test_cancel_while_the_server_does_not_read(sender: str, tmp_path: Path, tls: bool) -> None:
    """Unsent bytes are dropped with the connection."""

    async def stuck(connection: Connection) -> None:
        await connection.begun()
        await connection.part()
        connection.stop_reading()
        connection.ended.set()  # which it cannot see
        await asyncio.Event().wait()

    async with (
        serving(stuck, tls=certified() if tls else None) as server,
        using(sender, ca_file=ca_file(tmp_path)) as transport,
    ):
        body, seen = FileBody(BLOCK, 512), -1
        async with begun(transport, server, body):
            while seen != body.taken or not body.taken:
                seen = body.taken
                await asyncio.sleep(0.05)
        assert body.taken < body.size


@BOTH
@pytest.mark.parametrize("body", [InMemory, lambda: FileBody(BLOCK, 8)], ids=["in memory", "in pieces"])
@pytest.mark.parametrize("answer", [b"", OK[:1], OK[:20], b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"])
async def test_cancel_while_waiting_for_the_answer(sender: str, body: Any, answer: bytes) -> None:
    """None or some of it has arrived."""
    over = asyncio.Event()

    async def half(connection: Connection) -> None:
        await connection.request()
        connection.write(answer)
        await settled()
        over.set()
        await connection.until_end()

    async with serving(half) as server, using(sender) as transport, begun(transport, server, body()):
        await over.wait()


@BOTH
async def test_cancel_on_a_reused_connection(sender: str) -> None:
    """It is not idle again, because its answer would go to the next request."""
    over, go_on = asyncio.Event(), asyncio.Event()

    async def late(connection: Connection) -> None:
        connection.write(echo(await connection.request()))
        request = await connection.request()
        over.set()
        await go_on.wait()
        connection.write(echo(request))
        await connection.answer_all()

    async with serving(late) as server, using(sender) as transport:
        await next_works(transport, server)
        task = asyncio.create_task(outcome(transport, server.url))
        await over.wait()
        await cancelled(task)
        go_on.set()
        for _ in range(3):
            await next_works(transport, server)
    assert len(server.connections) == 2


@BOTH
@pytest.mark.parametrize("cycles", range(0, 24, 2))
async def test_cancel_after_any_number_of_loop_iterations(sender: str, cycles: int) -> None:
    """The upload is complete or cancelled, and later uploads work."""
    async with serving() as server, using(sender) as transport:
        for kept in (False, True):
            body = FileBody(BLOCK, 3)
            task = asyncio.create_task(outcome(transport, server.url, body))
            for _ in range(cycles):
                await asyncio.sleep(0)
            task.cancel()
            result = (await asyncio.gather(task, return_exceptions=True))[0]
            assert isinstance(result, asyncio.CancelledError) or getattr(result, "status", None) == 200, kept
            await next_works(transport, server)


@BOTH
async def test_cancel_many_uploads_at_once(sender: str) -> None:
    """As a stopped run does."""

    async def upload(number: int) -> None:
        await outcome(transport, server.url, FileBody(BLOCK, number % 7))

    async with serving() as server, using(sender) as transport:
        tasks = [asyncio.create_task(upload(number)) for number in range(60)]
        while len(server.requests) < 10:
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert all(task.done() for task in tasks)
        await next_works(transport, server)
