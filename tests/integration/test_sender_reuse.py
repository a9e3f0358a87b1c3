"""Connections that are kept: reused while they are usable, and replaced once if they were closed."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from scripted_server import OK, Connection, Script, echo, serving, settled
from sender_helpers import BLOCK, BOTH, LEAN, FileBody, InMemory, answered, next_works, outcome, using

from bulkup.helpers.secrets import SecretUrl
from bulkup.model.http import StorageAnswer
from bulkup.model.problems import Problem, ProblemKind
from bulkup.model.tickets import Ticket
from bulkup.transport import Transport


def then(act: Script) -> Script:
    """Answer one request, and act at the first byte of the next one."""

    async def script(connection: Connection) -> None:
        connection.write(echo(await connection.request()))
        await connection.read(1)
        await act(connection)

    return script


async def reset(connection: Connection) -> None:
    connection.reset()


async def close(connection: Connection) -> None:
    connection.close()


async def half_close(connection: Connection) -> None:
    connection.half_close()
    await connection.until_end()


@BOTH
async def test_one_connection_serves_requests_in_turn(sender: str) -> None:
    """Of any size."""
    async with serving() as server, using(sender) as transport:
        for number in range(12):
            await answered(transport, server.url, FileBody(BLOCK, number))
    assert len(server.connections) == 1
    assert [len(request.body) for request in server.requests] == [number * len(BLOCK) for number in range(12)]


@BOTH
async def test_there_are_no_more_connections_than_simultaneous_requests(sender: str) -> None:
    """Each answer reaches its own request."""

    async def worker(name: int) -> None:
        for number in range(20):
            answer = await answered(transport, server.url.replace("/k", f"/{name}/{number}"))
            assert answer.headers["x-target"] == f"/{name}/{number}"

    async with serving() as server, using(sender) as transport, asyncio.TaskGroup() as tasks:
        for name in range(3):
            tasks.create_task(worker(name))
    assert len(server.connections) == 3


@BOTH
async def test_each_host_has_its_own_connections(sender: str) -> None:
    """The port is part of the host."""
    async with serving() as one, serving() as two, using(sender, connections=1) as transport:
        for _ in range(3):
            await next_works(transport, one)
            await next_works(transport, two)
    assert len(one.requests) == len(two.requests) == 3


@BOTH
async def test_idle_connections_to_all_hosts_are_bounded(sender: str) -> None:
    """The one least recently used is closed. That of a host in steady use is kept."""
    async with contextlib.AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(serving()) for _ in range(12)]
        transport = await stack.enter_async_context(using(sender, connections=1, idle_connections=3))
        steady, *others = servers
        for server in others:
            await next_works(transport, steady)
            await next_works(transport, server)
            await settled()
            assert sum(not each.reader.at_eof() for server in servers for each in server.connections) <= 1 + 3
        assert len(steady.connections) == 1
        for server in others[-2:]:
            await next_works(transport, server)
        for server in others[:2]:
            await next_works(transport, server)
        assert [len(server.connections) for server in others] == [2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1]


@BOTH
async def test_connections_in_use_are_not_closed_for_others(sender: str) -> None:
    async def hold(connection: Connection) -> None:
        request = await connection.request()
        await release.wait()
        connection.write(echo(request))

    release = asyncio.Event()
    async with contextlib.AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(serving(hold)) for _ in range(5)]
        transport = await stack.enter_async_context(using(sender, connections=5, idle_connections=0))
        async with asyncio.TaskGroup() as tasks:
            answers = [tasks.create_task(answered(transport, server.url)) for server in servers]
            for server in servers:
                await server.came.wait()
            release.set()
        assert [answer.result().status for answer in answers] == [200] * 5


@BOTH
@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nconnection: Foo, CLOSE\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    ],
    ids=["close", "close among others", "http 1.0"],
)
async def test_connection_close_is_honoured(sender: str, answer: bytes) -> None:
    """The sender closes at once, even if the server does not."""

    async def closes(connection: Connection) -> None:
        await connection.request()
        connection.write(answer)
        await connection.until_end()

    async with serving(closes) as server, using(sender) as transport:
        assert (await answered(transport, server.url)).status == 200
        async with asyncio.timeout(5):
            await server.connections[0].ended.wait()
        await next_works(transport, server)
    assert len(server.connections) == 2


@BOTH
async def test_an_http_1_0_connection_may_be_kept(sender: str) -> None:
    """If the server says so. The next request works in any case."""

    async def old(connection: Connection) -> None:
        await connection.request()
        connection.write(b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n")
        await connection.answer_all()

    async with serving(old) as server, using(sender) as transport:
        assert (await answered(transport, server.url)).status == 200
        await next_works(transport, server)


@BOTH
@pytest.mark.parametrize("act", [reset, close], ids=["reset", "close"])
async def test_a_connection_closed_while_idle_is_not_used(sender: str, act: Script) -> None:
    """So the next body is read once."""
    over = asyncio.Event()

    async def script(connection: Connection) -> None:
        connection.write(echo(await connection.request()))
        await over.wait()
        await act(connection)

    async with serving(script) as server, using(sender) as transport:
        await next_works(transport, server)
        over.set()
        await settled()
        body = FileBody()
        assert (await answered(transport, server.url, body)).status == 200
    assert (body.starts, len(server.connections)) == (1, 2)


@BOTH
@pytest.mark.parametrize("act", [reset, close, half_close], ids=["reset", "close", "half-close"])
@pytest.mark.parametrize("times", [0, 1, 8], ids=["empty", "one piece", "many pieces"])
async def test_a_stale_connection_is_replaced_once(sender: str, act: Script, times: int) -> None:
    """The server closes it just when the next request arrives. The request is repeated from its first byte."""
    async with serving(then(act)) as server, using(sender) as transport:
        await next_works(transport, server)
        body = FileBody(BLOCK, times)
        answer = await answered(transport, server.url, body)
        await next_works(transport, server)
    assert (answer.status, len(server.connections), body.starts) == (200, 2, 2)
    assert server.connections[1].requests[0].body == BLOCK * times


async def dies(connection: Connection) -> None:
    await connection.read(1)
    connection.reset()


@BOTH
async def test_a_request_is_repeated_only_once(sender: str) -> None:
    """A failure on a new connection is a fault."""
    async with serving(then(reset), dies) as server, using(sender) as transport:
        await next_works(transport, server)
        body = FileBody()
        problem = await outcome(transport, server.url, body)
        assert isinstance(problem, Problem)
        assert (problem.kind, problem.maybe_created) == (ProblemKind.TRANSIENT, True)
        assert (len(server.connections), body.starts) == (2, 2)
        await next_works(transport, server)


@LEAN
async def test_a_failure_on_a_new_connection_is_not_repeated(sender: str) -> None:
    """aiohttp repeats any PUT. Another attempt is the pipeline's decision."""
    async with serving(dies) as server, using(sender) as transport:
        body = FileBody()
        problem = await outcome(transport, server.url, body)
        assert isinstance(problem, Problem)
        assert (problem.kind, len(server.connections), body.starts) == (ProblemKind.TRANSIENT, 1, 1)


@LEAN
@pytest.mark.parametrize("body", [InMemory, FileBody], ids=["in memory", "in pieces"])
async def test_a_stale_connection_is_replaced_by_a_new_one(sender: str, body: type[FileBody]) -> None:
    """Other idle connections may be stale as well."""
    async with serving(*[then(reset)] * 4) as server, using(sender, connections=4) as transport:
        await asyncio.gather(*(next_works(transport, server) for _ in range(4)))
        assert len(server.connections) == 4
        sent = body()
        assert (await answered(transport, server.url, sent)).status == 200
    assert (len(server.connections), sent.starts) in ((5, 2), (5, 0))  # a body in memory needs no question


@LEAN
@pytest.mark.parametrize("begun", [b"H", b"HTTP/1.1 200 O", OK[:-1], b"HTTP/1.1 102 Processing\r\n\r\n"])
@pytest.mark.parametrize("act", [reset, close], ids=["reset", "close"])
async def test_a_request_with_a_partial_answer_is_not_repeated(sender: str, begun: bytes, act: Script) -> None:
    """The connection was alive, and the server has acted."""

    async def begins(connection: Connection) -> None:
        connection.write(echo(await connection.request()))
        await connection.request()
        connection.write(begun)
        await settled()  # a reset discards bytes that were not read
        await act(connection)

    async with serving(begins) as server, using(sender) as transport:
        await next_works(transport, server)
        body = FileBody()
        problem = await outcome(transport, server.url, body)
        assert isinstance(problem, Problem)
        assert (problem.kind, problem.maybe_created) == (ProblemKind.TRANSIENT, True)
        assert (len(server.connections), body.starts) == (1, 1)
        await next_works(transport, server)


EXTRA = pytest.mark.parametrize(
    "extra",
    [
        b"HTTP/1.1 200 OK\r\nX-Target: /evil\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 2",
        b"\r\n",
        b"rubbish",
    ],
    ids=["answer", "timeout", "continue", "part", "newline", "rubbish"],
)


@BOTH
@EXTRA
async def test_a_second_answer_never_reaches_the_next_request(sender: str, extra: bytes) -> None:
    """A connection with extra bytes is not used again."""

    async def script(connection: Connection) -> None:
        connection.write(echo(await connection.request()) + extra)
        await connection.answer_all()

    async with serving(script) as server, using(sender) as transport:
        await outcome(transport, server.url)  # rubbish right behind an answer may count against it
        for _ in range(3):
            await next_works(transport, server)


@LEAN
@EXTRA
async def test_an_answer_on_an_idle_connection_never_reaches_the_next_request(sender: str, extra: bytes) -> None:
    """aiohttp does not check that."""
    over = asyncio.Event()

    async def script(connection: Connection) -> None:
        connection.write(echo(await connection.request()))
        await over.wait()
        connection.write(extra)
        await connection.answer_all()

    async with serving(script) as server, using(sender) as transport:
        await next_works(transport, server)
        over.set()
        await settled()
        for _ in range(3):
            await next_works(transport, server)
    assert len(server.connections) == 2


async def ask_anew(transport: Transport, url: str, body: FileBody) -> StorageAnswer:
    return await transport.send(Ticket(SecretUrl(url), "id"), body, {}, lambda _: None, new_connection=True)


@BOTH
@pytest.mark.parametrize("body", [InMemory, FileBody])
async def test_a_request_can_ask_for_a_new_connection(sender: str, body: type[FileBody]) -> None:
    """Although one is idle, and later requests use an idle one."""
    async with serving() as server, using(sender) as transport:
        await answered(transport, server.url)
        for _ in range(2):
            assert (await ask_anew(transport, server.url, body())).headers["x-target"] == "/k"
        await answered(transport, server.url)
    assert len(server.connections) == 3


@LEAN
async def test_a_second_answer_to_one_request_does_not_reach_a_new_connection(sender: str) -> None:
    """A proxy sends a second answer when the next request has begun: it gets that one, and its own on asking anew."""

    async def twice(connection: Connection) -> None:
        connection.write(echo(await connection.request()))
        await connection.read(1)
        connection.write(OK)
        await connection.until_end()

    async def refuse(connection: Connection) -> None:
        await connection.request()
        connection.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
        await connection.until_end()

    async with serving(twice, refuse) as server, using(sender) as transport:
        assert "etag" in (await answered(transport, server.url)).headers
        assert (await answered(transport, server.url)).headers.get("etag") is None
        assert (await ask_anew(transport, server.url, InMemory())).status == 403
