"""Both senders against nginx, in its default and in difficult configurations."""

from __future__ import annotations

import asyncio
import itertools
import secrets
import time
from pathlib import Path

import pytest
from nginx_world import nginx
from scripted_server import ca_file
from sender_helpers import BLOCK, BOTH, LEAN, FileBody, InMemory, answered, outcome, using

from bulkup.model.http import StorageAnswer
from bulkup.model.problems import Problem, ProblemKind
from bulkup.transport import Transport

SCHEMES = pytest.mark.parametrize("scheme", ["http", "https"])
_names = (f"/{secrets.token_hex(4)}/{number}" for number in itertools.count())


def new() -> str:
    """Return a new URL."""
    return next(_names)


async def busy() -> None:
    """Block the event loop."""
    time.sleep(0.02)


async def put(transport: Transport, base: str, body: FileBody | None = None) -> StorageAnswer:
    """Send, and assert that the stored bytes are those that were sent."""
    path, body = new(), body or InMemory()
    answer = await answered(transport, base + path, body)
    assert answer.status == 201, answer
    assert nginx().stored(path) == b"".join([bytes(chunk) async for chunk in body.chunks()])
    return answer


@BOTH
@SCHEMES
async def test_files_of_all_sizes_arrive(sender: str, scheme: str, tmp_path: Path) -> None:
    """Over one connection; large files after a 100 (Continue)."""
    base = nginx().url("plain", scheme)
    async with using(sender, ca_file=ca_file(tmp_path)) as transport:
        bodies = [InMemory(b""), InMemory(), InMemory(BLOCK), *(FileBody(BLOCK, times) for times in (0, 1, 7, 20, 40))]
        answers = [await put(transport, base, body) for body in bodies]
    assert len({answer.headers["x-connection"] for answer in answers}) == 1


@BOTH
@SCHEMES
async def test_many_simultaneous_uploads_arrive(sender: str, scheme: str, tmp_path: Path) -> None:
    """Over one connection per worker, each used repeatedly."""
    base, used = nginx().url("plain", scheme), set[str]()

    async def worker(number: int) -> None:
        for times in range(8):
            answer = await put(transport, base, FileBody(BLOCK[: 1000 * number], times))
            used.add(answer.headers["x-connection"])

    async with using(sender, ca_file=ca_file(tmp_path)) as transport, asyncio.TaskGroup() as tasks:
        for number in range(1, 5):
            tasks.create_task(worker(number))
    assert len(used) == 4


@BOTH
async def test_a_server_that_ends_connections_after_some_requests(sender: str) -> None:
    """It announces that in the last answer."""
    async with using(sender) as transport:
        answers = [await put(transport, nginx().url("five requests a connection")) for _ in range(17)]
    assert len({answer.headers["x-connection"] for answer in answers}) == 4


@BOTH
async def test_a_server_without_keep_alive(sender: str) -> None:
    """Each upload has a new connection."""
    async with using(sender) as transport:
        answers = [await put(transport, nginx().url("no keep-alive"), FileBody(BLOCK, 2)) for _ in range(4)]
    assert len({answer.headers["x-connection"] for answer in answers}) == 4


@BOTH
@SCHEMES
async def test_a_server_with_a_short_keep_alive(sender: str, scheme: str, tmp_path: Path) -> None:
    """The next upload arrives, whether it starts before, at or after the end of the connection."""
    base, used = nginx().url("short keep-alive", scheme), set[str]()
    async with using(sender, ca_file=ca_file(tmp_path)) as transport:
        for number in range(24):
            used.add((await put(transport, base, FileBody(BLOCK, number % 3))).headers["x-connection"])
            await asyncio.sleep(0.022 + 0.001 * (number % 12))
        await asyncio.sleep(0.1)
        used.add((await put(transport, base)).headers["x-connection"])
    assert len(used) > 1


@BOTH
async def test_a_server_that_limits_simultaneous_requests(sender: str) -> None:
    """The others are refused while their bodies are still read, and the accepted ones arrive."""
    go_on, refused = asyncio.Event(), list[int]()

    async def upload() -> None:
        path, body = new(), FileBody(BLOCK, 3, before=go_on.wait)
        answer = await answered(transport, nginx().url("few at once") + path, body)
        if answer.status == 201:
            assert nginx().stored(path) == BLOCK * 3
        else:
            refused.append(answer.status)
            if len(refused) == 4:
                go_on.set()

    async with using(sender, connections=8) as transport:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(8):
                tasks.create_task(upload())
        assert refused == [503] * 4
        go_on.set()
        await put(transport, nginx().url("few at once"))


@BOTH
@SCHEMES
@pytest.mark.parametrize("variant", ["small files only", "refuses"])
async def test_a_refusal_is_read_at_any_point_of_the_body(
    sender: str, scheme: str, variant: str, tmp_path: Path
) -> None:
    """nginx reads on for a while, so that the client can read the answer."""
    if (variant, scheme) not in nginx().ports:
        scheme = "http"
    status, base = {"refuses": 403}.get(variant, 413), nginx().url(variant, scheme)
    async with using(sender, ca_file=ca_file(tmp_path)) as transport:
        for times in (1, 4, 15, 100):
            assert (await answered(transport, base + new(), FileBody(BLOCK, times))).status == status
            assert (await answered(transport, base + new(), InMemory(BLOCK))).status == status


@LEAN
@SCHEMES
@pytest.mark.parametrize("variant", ["small files only, then reset", "refuses, then reset"])
async def test_a_refusal_is_read_despite_a_reset(sender: str, scheme: str, variant: str, tmp_path: Path) -> None:
    """aiohttp's client often sees only the reset."""
    if (variant, scheme) not in nginx().ports:
        scheme = "http"
    status, base = {"refuses, then reset": 403}.get(variant, 413), nginx().url(variant, scheme)
    async with using(sender, ca_file=ca_file(tmp_path)) as transport:
        for times in (1, 4, 15, 100) * 3:
            assert (await answered(transport, base + new(), FileBody(BLOCK, times))).status == status
            assert (await answered(transport, base + new(), InMemory(BLOCK))).status == status
        for _ in range(3):
            # The reset is here before the next piece is: writing is what finds it, and not reading.
            body = FileBody(BLOCK, 15, before=busy)
            assert (await answered(transport, base + new(), body)).status == status


@BOTH
@pytest.mark.parametrize("times", [1, 8, 40])
async def test_a_redirect_is_followed_with_the_whole_body(sender: str, times: int) -> None:
    """To the server that stores it."""
    async with using(sender) as transport:
        await put(transport, nginx().url("moved"), FileBody(BLOCK, times))


@BOTH
async def test_plain_http_to_a_tls_port_is_named_as_the_cause(sender: str) -> None:
    async with using(sender) as transport:
        answer = await outcome(transport, nginx().url("plain", "https").replace("https:", "http:") + new())
    assert isinstance(answer, Problem)
    assert answer.kind is ProblemKind.UNUSABLE
    assert "expects https:// instead of http://" in answer.message
