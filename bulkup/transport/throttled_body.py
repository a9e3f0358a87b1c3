"""A body that is sent no faster than a limit allows, by either sender.

A sender takes the pieces of a body when it can send them. So the body itself waits for its turn before each piece, and
the sender needs to know nothing of the limit. While it waits it yields empty pieces: they show that not the link is at
fault, and the timeout for progress begins anew.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterator
from typing import Protocol

from bulkup.model.bodies import Body, FileRange, SendfileBody

_NOTHING = memoryview(b"")


class Throttle(Protocol):
    """A limit on the bytes that are sent per second (`pipeline.throttle`).

    `piece` is the most bytes to take at once, None while there is no limit. A body in memory of at most `at_once` bytes
    is taken whole.
    """

    piece: int | None
    at_once: int

    def request(self, count: int) -> asyncio.Future[None] | None:
        """Take bytes. Return None if they may be sent at once, else a future that is done when they may be sent.

        A caller that gives up cancels the future.
        """
        ...


class ThrottledBody:
    """A body of which each piece waits for its turn. It yields an empty piece every `patience` seconds of waiting."""

    data: bytes | None = None  # it is taken piece by piece, if it is in memory as well

    def __init__(self, body: Body, throttle: Throttle, patience: float) -> None:
        self._body = body
        self._throttle = throttle
        self._patience = patience
        self.size = body.size

    @property
    def failure(self) -> Exception | None:
        """The exception that ended the body early, or None."""
        return self._body.failure

    async def chunks(self) -> AsyncGenerator[memoryview, None]:
        """Yield all bytes from the beginning, each piece in its turn."""
        async with contextlib.aclosing(self._body.chunks()) as chunks:
            async for chunk in chunks:
                for start, end in self._pieces(len(chunk)):
                    if (turn := self._throttle.request(end - start)) is not None:
                        async with contextlib.aclosing(_waits(turn, self._patience)) as waits:
                            async for _ in waits:
                                yield _NOTHING
                    yield chunk[start:end]

    def _pieces(self, size: int) -> Iterator[tuple[int, int]]:
        """Yield the begin and the end of each piece; the limit may change in between."""
        start = 0
        while start < size:
            end = size if self._throttle.piece is None else min(size, start + self._throttle.piece)
            yield start, end
            start = end


class ThrottledSendfileBody(ThrottledBody):
    """The same for a body that can be sent by `sendfile`."""

    def __init__(self, body: SendfileBody, throttle: Throttle, patience: float) -> None:
        super().__init__(body, throttle, patience)
        self._lent = body

    async def ranges(self) -> AsyncGenerator[FileRange, None]:
        """Yield the ranges of all bytes from the beginning, each piece in its turn."""
        async with contextlib.aclosing(self._lent.ranges()) as ranges:
            async for file, begin, size in ranges:
                for start, end in self._pieces(size):
                    if (turn := self._throttle.request(end - start)) is not None:
                        async with contextlib.aclosing(_waits(turn, self._patience)) as waits:
                            async for _ in waits:
                                yield FileRange(file, begin + start, 0)
                    yield FileRange(file, begin + start, end - start)


async def _waits(turn: asyncio.Future[None], patience: float) -> AsyncGenerator[None, None]:
    """Return when the turn has come, and yield each time that it has not after `patience` seconds."""
    try:
        while not turn.done():
            await asyncio.wait((turn,), timeout=patience)
            if not turn.done():
                yield
    finally:
        turn.cancel()  # of no effect if it has come


async def in_turn(body: Body, throttle: Throttle, patience: float) -> Body:
    """Return the body to send: the same one once it may be sent whole, or one that waits before each piece."""
    if body.data is not None and (throttle.piece is None or body.size <= throttle.at_once):
        turn = throttle.request(body.size)
        if turn is not None:
            await turn
        return body
    if isinstance(body, SendfileBody):
        return ThrottledSendfileBody(body, throttle, patience)
    return ThrottledBody(body, throttle, patience)
