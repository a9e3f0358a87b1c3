"""Both senders under a limit on the bandwidth: no byte is sent before it was granted, and waiting is no failure."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import os
from pathlib import Path

import pytest
import sender_helpers
from scripted_server import Connection, ca_file, certified, echo, serving
from sender_helpers import BLOCK, BOTH, FileBody, InMemory, outcome
from test_sender_sendfile import CONTENT, MD5, body_of

from bulkup.helpers.secrets import Secret, SecretUrl
from bulkup.model.http import StorageAnswer
from bulkup.model.tickets import Ticket
from bulkup.transport import Transport

using = functools.partial(sender_helpers.using, slowest=1024**4)
PIECE = 10_000


class Grants:
    """A throttle that grants one piece at a time, when the test says so."""

    def __init__(self, at_once: int = 0) -> None:
        self.piece: int | None = PIECE
        self.at_once = at_once
        self.granted = 0
        self.waiting: list[tuple[int, asyncio.Future[None]]] = []

    def request(self, count: int) -> asyncio.Future[None]:
        turn = asyncio.get_running_loop().create_future()
        self.waiting.append((count, turn))
        return turn

    async def grant(self) -> None:
        """Grant the next piece, once it is asked for."""
        while not self.waiting:
            await asyncio.sleep(0.001)
        count, turn = self.waiting.pop(0)
        assert not turn.done()
        self.granted += count
        turn.set_result(None)


class Watched:
    """A server that counts the bytes of the body that it has, and answers at the end."""

    def __init__(self) -> None:
        self.received = 0

    async def __call__(self, connection: Connection) -> None:
        request = await connection.begun()
        left = int(request.headers["content-length"])
        parts = connection._parts
        while sum(map(len, parts)) < left:
            await connection.part()
            self.received = sum(map(len, parts))
        connection.write(echo(await connection.rest()))


async def in_pieces(transport: Transport, grants: Grants, watched: Watched, size: int, pieces: int) -> None:
    """Grant all bytes of a body, and check after each piece that the server has those that were granted."""
    for _ in range(pieces):
        before = grants.granted
        await grants.grant()
        while watched.received < grants.granted:
            await asyncio.sleep(0.001)
        assert watched.received == grants.granted > before
    assert grants.granted == size


@BOTH
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
async def test_the_server_has_no_more_than_was_granted(sender: str, tls: bool, tmp_path: Path) -> None:
    """Neither sender writes ahead, over TLS either."""
    watched, grants = Watched(), Grants()
    certificate = certified() if tls else None
    async with serving(watched, tls=certificate) as server:
        trusted = {"ca_file": ca_file(tmp_path)} if tls else {}
        async with using(sender, **trusted) as transport:
            transport.throttle = grants
            body = FileBody(BLOCK, 2)
            sending = asyncio.ensure_future(outcome(transport, server.url, body))
            await in_pieces(transport, grants, watched, body.size, -(-len(BLOCK) // PIECE) * 2)
            answer = await sending
    assert isinstance(answer, StorageAnswer)
    assert answer.headers["etag"] == f'"{hashlib.md5(BLOCK * 2).hexdigest()}"'


async def test_a_file_sent_by_sendfile_is_limited_as_well(tmp_path: Path) -> None:
    watched, grants = Watched(), Grants()
    grants.piece = 1_000_000
    async with serving(watched) as server, using("lean", sendfile_step=300_000) as transport:
        transport.throttle = grants
        body = body_of(tmp_path / "file")
        sending = asyncio.ensure_future(transport.send(Ticket(SecretUrl(server.url), "id"), body, {}, lambda _: None))
        while not sending.done():
            if grants.waiting:
                await grants.grant()
            await asyncio.sleep(0.001)
            assert watched.received <= grants.granted
        answer = await sending
    assert answer.headers["etag"].strip('"') == MD5 == hashlib.md5(CONTENT).hexdigest()
    assert body.lent
    assert grants.granted == len(CONTENT)


@BOTH
async def test_a_form_is_limited_with_its_fields(sender: str) -> None:
    """The bytes of the file are counted for the progress, and no others."""
    watched, grants, counted = Watched(), Grants(), list[int]()
    async with serving(watched) as server, using(sender) as transport:
        transport.throttle = grants
        form = (("policy", Secret("p" * 15_000)), ("signature", Secret("s")))
        ticket = Ticket(SecretUrl(server.url), "id", method="POST", form=form)
        sending = asyncio.ensure_future(transport.send(ticket, FileBody(BLOCK, 2), {}, counted.append))
        while not sending.done():
            if grants.waiting:
                await grants.grant()
            await asyncio.sleep(0.001)
        assert (await sending).status == 200
    assert grants.granted == watched.received > 2 * len(BLOCK) + 15_000
    assert sum(counted) == 2 * len(BLOCK)


@BOTH
async def test_a_small_body_waits_before_its_request_begins(sender: str) -> None:
    """So it holds no connection, and its timeouts have not begun."""
    grants = Grants(at_once=5)
    async with serving() as server, using(sender, idle_timeout=0.2) as transport:
        transport.throttle = grants
        sending = asyncio.ensure_future(outcome(transport, server.url, InMemory(b"hello")))
        await asyncio.sleep(0.3)
        assert server.connections == []
        await grants.grant()
        assert isinstance(await sending, StorageAnswer)


@BOTH
@pytest.mark.parametrize("in_memory", [True, False])
async def test_waiting_for_the_limit_is_no_lack_of_progress(sender: str, in_memory: bool) -> None:
    """The body waits for several times the idle timeout, at its begin and in its middle."""
    watched, grants = Watched(), Grants()
    body = InMemory(os.urandom(2 * PIECE)) if in_memory else FileBody(os.urandom(PIECE), 2)
    async with serving(watched) as server, using(sender, idle_timeout=0.3, connect_timeout=2) as transport:
        transport.throttle = grants
        sending = asyncio.ensure_future(outcome(transport, server.url, body))
        for _ in range(2):
            await asyncio.sleep(1.0)
            await grants.grant()
        assert isinstance(await sending, StorageAnswer)


@BOTH
async def test_a_server_that_stops_reading_still_times_out(sender: str) -> None:
    """The limit does not hide it: no piece is taken while the connection is full."""
    grants = Grants()
    grants.piece = 1_000_000

    async def reads_nothing(connection: Connection) -> None:
        connection.stop_reading()
        await asyncio.Event().wait()

    async def grant_all() -> None:
        while True:
            await grants.grant()

    async with serving(reads_nothing) as server:
        async with using(sender, idle_timeout=0.3, connect_timeout=2) as transport:
            transport.throttle = grants
            granting = asyncio.create_task(grant_all())
            problem = await outcome(transport, server.url, FileBody(BLOCK, 400))
            granting.cancel()
        assert not isinstance(problem, StorageAnswer)
        assert "no progress" in problem.message


@BOTH
async def test_a_request_that_is_cancelled_while_it_waits(sender: str) -> None:
    """Its turn is given up, and nothing is left behind."""
    watched, grants = Watched(), Grants()
    async with serving(watched) as server, using(sender) as transport:
        transport.throttle = grants
        sending = asyncio.ensure_future(outcome(transport, server.url, FileBody(BLOCK, 2)))
        while not grants.waiting:
            await asyncio.sleep(0.001)
        sending.cancel()
        await asyncio.wait((sending,))
        assert grants.waiting[0][1].cancelled()
