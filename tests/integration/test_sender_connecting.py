"""Connecting to a server: name lookups, several addresses of which some are dead, and messages of failures."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from scripted_server import Server, serving
from sender_helpers import BOTH, HANG_TIMEOUT, answered, next_works, outcome, using
from test_transport import no_lookup, unused_port

from bulkup.helpers.address_literals import literal
from bulkup.model.problems import Problem, ProblemKind

DEAD, ALIVE = "127.0.0.3", "127.0.0.1"


def named(server: Server) -> str:
    return server.url.replace(ALIVE, "storage.test")


def resolving(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[str]:
    """Resolve every name to these addresses, and return the list of names that are looked up."""
    asked, known = list[str](), asyncio.get_running_loop().getaddrinfo

    async def lookup(host: str, port: int, *rest: Any, **more: Any) -> Any:
        if literal(host) is not None:
            return await known(host, port, *rest, **more)
        asked.append(host)
        return [
            (socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in addresses
        ]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", lookup)
    return asked


@contextlib.contextmanager
def swallowing(port: int) -> Iterator[None]:
    """Make connections to a port of the dead address hang, because its queue is full."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind((DEAD, port))
        listener.listen(0)
        for _ in range(8):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex((DEAD, port))
        yield


@BOTH
async def test_after_a_refused_address_the_next_is_tried(sender: str, monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, DEAD, ALIVE)
    async with serving() as server, using(sender) as transport:
        assert (await answered(transport, named(server))).status == 200


async def test_the_round_trip_is_the_shortest_time_of_a_connection() -> None:
    """The first connection also looks the name up and creates what later ones share."""
    async with serving() as server, using("lean") as transport:
        before = transport.round_trip
        assert (await answered(transport, server.url)).status == 200
        first = transport.round_trip
        assert before is None
        assert first is not None
        assert 0 < first < HANG_TIMEOUT
        async with asyncio.TaskGroup() as tasks:
            for _ in range(3):
                tasks.create_task(answered(transport, server.url))
        last = transport.round_trip
        assert last is not None
        assert last <= first


async def test_the_round_trip_is_unknown_without_a_direct_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy is nearer than storage."""
    async with serving() as server:
        monkeypatch.setenv("http_proxy", server.url)
        monkeypatch.setenv("no_proxy", "")
        async with using("lean") as transport:
            assert (await answered(transport, "http://storage.test/a")).status == 200
            assert transport.round_trip is None


@BOTH
async def test_a_silent_address_does_not_use_up_the_timeout(sender: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next one is tried in parallel (happy eyeballs, RFC 8305)."""
    resolving(monkeypatch, DEAD, ALIVE)
    async with serving() as server, using(sender, connect_timeout=3) as transport:
        with swallowing(server.port):
            assert (await answered(transport, named(server))).status == 200
            assert len(server.connections) == 1


@BOTH
async def test_a_missing_address_family_is_skipped(sender: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names often have IPv6 addresses that do not work here."""
    resolving(monkeypatch, "2001:db8::1", ALIVE)
    async with serving() as server, using(sender, connect_timeout=5) as transport:
        assert (await answered(transport, named(server))).status == 200


@BOTH
async def test_a_name_is_not_looked_up_for_each_request(sender: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor for each of several simultaneous connections."""
    asked = resolving(monkeypatch, ALIVE)
    async with serving() as server, using(sender) as transport, asyncio.TaskGroup() as tasks:
        for _ in range(4):
            tasks.create_task(answered(transport, named(server)))
    assert asked == ["storage.test"]


@BOTH
async def test_no_reachable_address_is_unreachable(sender: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server cannot have acted."""
    resolving(monkeypatch, DEAD, "127.0.0.4")
    async with using(sender) as transport:
        problem = await outcome(transport, f"http://storage.test:{unused_port()}/k")
    assert isinstance(problem, Problem)
    assert (problem.kind, problem.maybe_created) == (ProblemKind.UNREACHABLE, False)
    assert "storage.test" in problem.message


@BOTH
async def test_a_silent_server_is_unreachable_after_the_connect_timeout(sender: str) -> None:
    port = unused_port()
    with swallowing(port):
        async with using(sender, connect_timeout=0.3) as transport:
            problem = await outcome(transport, f"http://{DEAD}:{port}/k")
    assert isinstance(problem, Problem)
    assert (problem.kind, problem.maybe_created) == (ProblemKind.UNREACHABLE, False)


@BOTH
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_an_unknown_name_is_unreachable(sender: str, scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The network may recover."""
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", no_lookup)
    async with using(sender) as transport:
        problem = await outcome(transport, f"{scheme}://storage.test/k")
    assert isinstance(problem, Problem)
    assert (problem.kind, problem.maybe_created) == (ProblemKind.UNREACHABLE, False)
    assert "storage.test" in problem.message
    assert "Name or service not known" in problem.message


@BOTH
async def test_a_failed_lookup_is_not_cached(sender: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving() as server, using(sender) as transport:
        with monkeypatch.context() as patch:
            patch.setattr(asyncio.get_running_loop(), "getaddrinfo", no_lookup)
            assert isinstance(await outcome(transport, named(server)), Problem)
        resolving(monkeypatch, ALIVE)
        assert (await answered(transport, named(server))).status == 200


@BOTH
async def test_running_out_of_descriptors_is_the_machines_fault(sender: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A retry would meet the same limit."""

    def no_socket(*_: Any, **__: Any) -> Any:
        raise OSError(errno.EMFILE, "Too many open files")

    async with serving() as server, using(sender) as transport:
        with monkeypatch.context() as patch:
            patch.setattr(socket, "socket", no_socket)
            problem = await outcome(transport, server.url)
        assert isinstance(problem, Problem)
        assert problem.kind is ProblemKind.MACHINE
        await next_works(transport, server)


@BOTH
@pytest.mark.parametrize(
    "url",
    [
        *("http:///k", "http://", "ftp://127.0.0.1/k", "127.0.0.1/k", "/k", "", "http://[::1/k"),
        *("http://127.0.0.1:x/k", "http://127.0.0.1:99999/k", "http://127.0.0.1:0/k", "http://a b/k"),
        *("http://\u00e9.test/k", "http://x..test/k", f"http://{'x' * 64}.test/k", "http://127.0.0.1/a b"),
        *("http://127.0.0.1/\r\nX: y", "http://127.0.0.1/\u00e9", "http://user:password@127.0.0.1:1/k"),
    ],
)
async def test_an_invalid_url_is_refused(sender: str, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a problem, and without a lookup."""
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", no_lookup)
    async with using(sender) as transport:
        problem = await outcome(transport, url)
    assert isinstance(problem, Problem)
    assert problem.kind in (ProblemKind.FAILED, ProblemKind.UNREACHABLE, ProblemKind.UNUSABLE)
    assert "password" not in problem.message
