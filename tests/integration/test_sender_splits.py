"""Answers split at any position, and answers with any wrong byte (Hypothesis)."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from scripted_server import Connection, Script, Server, serving, settled
from sender_helpers import SENDERS, next_works, outcome, using

from bulkup.model.http import StorageAnswer
from bulkup.model.problems import Problem, ProblemKind
from bulkup.transport import Transport

FEW = settings(max_examples=60, suppress_health_check=list(HealthCheck))
BOUNDARY = b"0123456789abcdef" * 8
ANSWERS = {
    "plain": b'HTTP/1.1 200 OK\r\nETag: "x"\r\nX-A: \xc3\xa9\r\nContent-Length: 5\r\n\r\nhello',
    "chunked": b"HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nhel\r\n2\r\nlo\r\n0\r\nT: 1\r\n\r\n",
    "news": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 H\r\nL: x\r\n\r\nHTTP/1.1 201\r\nContent-Length: 0\r\n\r\n",
    "until its end": b"HTTP/1.0 500 Oh\r\nX-B: 1\r\n\r\n" + BOUNDARY,
    "no content": b"HTTP/1.1 204 No Content\r\nConnection: close\r\nETag: y\r\n\r\n",
}
PIECES = [b"HTTP/1.1 ", b"200 OK", b"\r\n", b"\r\n\r\n", b"Content-Length: 5", b"Transfer-Encoding: chunked", b"hello"]
RUBBISH = st.lists(st.sampled_from(PIECES) | st.binary(max_size=12), max_size=12).map(b"".join)


@dataclass
class Place:
    """An event loop with a server and a transport that all examples of a test share."""

    runner: asyncio.Runner
    server: Server
    transport: Transport

    def sent(self, script: Script) -> StorageAnswer | Problem:
        """Send to a server that follows this script for up to two requests, then send once more."""

        async def run() -> StorageAnswer | Problem:
            for connection in self.server.connections:
                connection.close()
            self.server.connections.clear()
            await settled()
            self.server.scripts = [script] * 2
            result = await outcome(self.transport, self.server.url)
            self.server.scripts = []
            await next_works(self.transport, self.server)
            return result

        return self.runner.run(run())


@pytest.fixture(scope="module", params=SENDERS)
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    with asyncio.Runner() as runner:
        stack = contextlib.AsyncExitStack()

        async def begin() -> Place:
            server = await stack.enter_async_context(serving())
            return Place(runner, server, await stack.enter_async_context(using(request.param)))

        yield runner.run(begin())
        runner.run(stack.aclose())


def in_pieces(pieces: list[bytes], *, close: bool) -> Script:
    async def script(connection: Connection) -> None:
        await connection.request()
        for piece in pieces:
            connection.write(piece)
            await settled()  # so that it is read alone
        if not close:
            await connection.answer_all()

    return script


@pytest.mark.unmeasured
@given(cuts=st.lists(st.integers(0, 200), max_size=12), close=st.booleans())
@example(cuts=list(range(200)), close=False)
@settings(FEW, max_examples=25)
@pytest.mark.parametrize("name", ANSWERS)
def test_any_split_of_an_answer_gives_the_same_result(place: Place, name: str, cuts: list[int], close: bool) -> None:
    """From one piece to one per byte."""
    answer = ANSWERS[name]
    close = close or name == "until its end"
    places = [0, *sorted(cut for cut in set(cuts) if 0 < cut < len(answer)), len(answer)]
    pieces = [answer[start:end] for start, end in itertools.pairwise(places)]
    result = place.sent(in_pieces(pieces, close=close))
    assert result == place.sent(in_pieces([answer], close=True))
    assert isinstance(result, StorageAnswer)


@pytest.mark.unmeasured
@given(name=st.sampled_from(list(ANSWERS)), kept=st.integers(0, 200), rubbish=RUBBISH)
@FEW
def test_any_prefix_followed_by_garbage_is_an_answer_or_a_fault(
    place: Place, name: str, kept: int, rubbish: bytes
) -> None:
    """The next request gets its own answer."""
    result = place.sent(in_pieces([ANSWERS[name][:kept] + rubbish], close=True))
    assert isinstance(result, StorageAnswer) or result.kind is ProblemKind.TRANSIENT


@pytest.mark.unmeasured
@given(name=st.sampled_from(list(ANSWERS)), at=st.integers(0, 200), byte=st.binary(min_size=1, max_size=1))
@FEW
def test_any_changed_byte_is_an_answer_or_a_fault(place: Place, name: str, at: int, byte: bytes) -> None:
    answer = ANSWERS[name]
    at %= len(answer)
    result = place.sent(in_pieces([answer[:at] + byte + answer[at + 1 :]], close=True))
    assert isinstance(result, StorageAnswer) or result.kind in (ProblemKind.TRANSIENT, ProblemKind.FAILED)
