"""A body that waits for its turn before each piece."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from bulkup.model.bodies import Body, FileRange, SendfileBody
from bulkup.model.files import FoundFile, Identity, Source
from bulkup.pipeline.files.file_opener import FileOpener
from bulkup.pipeline.files.large import FileBody
from bulkup.pipeline.files.opening import ReadingOptions
from bulkup.pipeline.files.small import WholeBody
from bulkup.transport.throttled_body import ThrottledBody, ThrottledSendfileBody, in_turn

DATA = bytes(range(256)) * 40


class Turns:
    """A throttle whose turns the test grants; without a `piece` there is no limit."""

    def __init__(self, piece: int | None, at_once: int = 0) -> None:
        self.piece = piece
        self.at_once = at_once
        self.counts: list[int] = []
        self.waiting: list[asyncio.Future[None]] = []
        self.waits = True

    def request(self, count: int) -> asyncio.Future[None] | None:
        self.counts.append(count)
        if self.piece is None or not self.waits:
            return None
        self.waiting.append(asyncio.get_running_loop().create_future())
        return self.waiting[-1]


def body() -> WholeBody:
    return WholeBody(DATA, Identity(len(DATA), 1, 1, 1, 1))


async def collected(throttled: Body) -> tuple[bytes, list[int]]:
    """Return the bytes of a body, and the sizes of its pieces."""
    pieces = [bytes(piece) async for piece in throttled.chunks()]
    return b"".join(pieces), [len(piece) for piece in pieces]


@pytest.mark.parametrize(("piece", "sizes"), [(4000, [4000, 4000, 2240]), (None, [10_240]), (10**6, [10_240])])
async def test_the_bytes_are_cut_into_pieces(piece: int | None, sizes: list[int]) -> None:
    """Each piece is taken, and no byte is lost or changed."""
    turns = Turns(piece)
    turns.waits = False
    throttled = ThrottledBody(body(), turns, 1.0)
    assert await collected(throttled) == (DATA, sizes)
    assert turns.counts == sizes
    assert await collected(throttled) == (DATA, sizes)  # for a request that is repeated
    assert (throttled.size, throttled.data, throttled.failure) == (len(DATA), None, None)


async def test_no_piece_is_sent_before_its_turn() -> None:
    """Meanwhile the body yields empty pieces, which show the sender that it waits on purpose."""
    turns = Turns(4000)
    async with contextlib.aclosing(ThrottledBody(body(), turns, 0.001).chunks()) as chunks:
        for number, size in enumerate((4000, 4000, 2240)):
            for _ in range(3):
                assert len(await anext(chunks)) == 0
            turns.waiting[number].set_result(None)
            while not (piece := await anext(chunks)):
                pass
            assert len(piece) == size
        assert len(turns.counts) == 3


async def test_a_request_that_is_broken_off_gives_its_turn_up() -> None:
    turns = Turns(4000)
    chunks = ThrottledBody(body(), turns, 0.001).chunks()
    await anext(chunks)
    await chunks.aclose()
    assert turns.waiting[0].cancelled()


async def test_the_limit_may_change_within_a_body() -> None:
    turns = Turns(4000)
    turns.waits = False
    sizes = list[int]()
    async for piece in ThrottledBody(body(), turns, 1.0).chunks():
        sizes.append(len(piece))
        turns.piece = 1000 if len(sizes) < 4 else None
    assert sizes == [4000, 1000, 1000, 1000, 3240]


async def test_the_ranges_of_a_file_are_cut_as_well(tmp_path: Path) -> None:
    """For `sendfile`. An empty range says that the body waits."""
    path = tmp_path / "file"
    path.write_bytes(DATA)
    identity = FileOpener("skip").identity_of(path.stat())
    file = FoundFile(Source(bytes(tmp_path)), b"file", identity)
    opener = FileOpener("skip")
    made = FileBody(file, opener, options=ReadingOptions(range=6000, long_clock_step=0.0, clock_step=0.0))
    turns = Turns(4000)
    throttled = await in_turn(made, turns, 0.001)
    assert isinstance(throttled, ThrottledSendfileBody)
    assert isinstance(throttled, SendfileBody)
    found, waits = list[tuple[int, int]](), 0
    async with contextlib.aclosing(throttled.ranges()) as ranges:
        async for lent in ranges:
            assert isinstance(lent, FileRange)
            if lent.size:
                found.append((lent.start, lent.size))
            else:
                waits += 1
                turns.waiting[-1].set_result(None)
    assert found == [(0, 4000), (4000, 2000), (6000, 4000), (10_000, 240)]
    assert waits == 4
    assert made.digest is not None


async def test_a_small_body_in_memory_is_taken_whole() -> None:
    """Its request begins only then, so no connection waits."""
    turns, small = Turns(100, at_once=len(DATA)), body()
    waiting = asyncio.ensure_future(in_turn(small, turns, 1.0))
    await asyncio.sleep(0)
    assert turns.counts == [len(DATA)]
    assert not waiting.done()
    turns.waiting[0].set_result(None)
    assert await waiting is small


async def test_a_larger_body_in_memory_is_taken_in_pieces() -> None:
    assert isinstance(await in_turn(body(), Turns(100, at_once=len(DATA) - 1), 1.0), ThrottledBody)


async def test_without_a_limit_a_body_in_memory_is_the_same() -> None:
    made = body()
    assert await in_turn(made, Turns(None), 1.0) is made


async def test_the_error_of_a_body_is_passed_on() -> None:
    """The senders raise it in place of their own error."""

    class Broken:
        size = 10
        data = None
        failure: Exception | None = None

        async def chunks(self) -> AsyncGenerator[memoryview, None]:
            yield memoryview(b"12345")
            self.failure = OSError("gone")
            raise self.failure

    turns = Turns(None)
    throttled = ThrottledBody(Broken(), turns, 1.0)
    with pytest.raises(OSError, match="gone"):
        await collected(throttled)
    assert str(throttled.failure) == "gone"
