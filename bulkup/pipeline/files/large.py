"""Large files: read in chunks, or lent out by their descriptor, while a thread hashes what is to go next.

There are two ways. `chunks` yields the bytes themselves, which are then those that were hashed. `ranges` yields where
they lie in the open file, for a sender that has the system copy them; what goes out is then read a second time, and
only storage's answer can prove that both were the same.

Either way one visit to a thread reads and hashes a piece while the one before is on its way: two chunks are held in
memory at most, of a file that is lent one.
"""

from __future__ import annotations

import abc
import asyncio
import contextlib
import hashlib
import time
from collections.abc import AsyncGenerator, Iterator
from typing import Generic, NamedTuple, Protocol, Self, TypeVar

import anyio

from bulkup.model.bodies import FileRange
from bulkup.model.files import Digest, FoundFile, Identity
from bulkup.model.problems import ProblemError
from bulkup.pipeline.files.opening import CHUNK, SHORTER, File, compare, file_problems, open_file, settling

# What is handed to the socket at once: small enough that progress shows on a slow link.
_SLICE = 256 * 1024
# A link on which a chunk takes less than so many seconds gets it in one piece, which costs less.
_SHOWN = 0.25
# Lent at once: few visits to threads, and what was hashed is still in the system's memory when it goes out.
RANGE = 8 * CHUNK
T = TypeVar("T")


class Md5(Protocol):
    """An MD5 on its way."""

    def update(self, data: bytes | memoryview, /) -> None:
        """Take more bytes in."""

    def copy(self) -> Self:
        """Return another one that has got as far."""

    def digest(self) -> bytes:
        """Return the 16 bytes."""


class FilePart(NamedTuple):
    """A stretch of a file, in bytes from its beginning: `start` is in it, `end` is not."""

    start: int
    end: int


class StreamedBody:
    """A large file or a part of one, opened anew for each start; digest and identity are there once a pass has ended.

    `before` is the MD5 of all that lies before the part; `whole` is then that of all up to its end. Where it is not
    `hashed` there is no digest, and `whole` is `before`.
    """

    data: bytes | None = None  # never all of them in memory

    def __init__(
        self,
        file: FoundFile,
        *,
        follow_links: bool,
        part: FilePart | None = None,
        before: Md5 | None = None,
        hashed: bool = True,
    ) -> None:
        self._file = file
        self._follow_links = follow_links
        self._part = part or FilePart(0, file.identity.size)
        self._before = before
        self._hashed = hashed
        self.size = self._part.end - self._part.start
        self.whole = before
        self.failure: Exception | None = None
        self.digest: Digest | None = None
        self.identity: Identity | None = None

    async def chunks(self) -> AsyncGenerator[memoryview, None]:
        """Yield the bytes, hashing them, in slices until a chunk goes in less than the time that progress should take
        to show. Raises `ProblemError` when the file is not what was found.
        """
        quick = False
        async with contextlib.aclosing(self._pieces(_Reading)) as chunks:
            async for chunk in chunks:
                begun = time.monotonic()
                for piece in (memoryview(chunk),) if quick else slices(chunk):
                    yield piece
                quick = time.monotonic() - begun < _SHOWN

    async def _pieces(self, way: type[_Pass[T]]) -> AsyncGenerator[T, None]:
        try:
            self.digest = self.identity = None
            async with contextlib.aclosing(self._pass(way)) as pieces:
                async for piece in pieces:
                    yield piece
        except Exception as error:
            # The HTTP client turns whatever is raised here into an error of its own.
            self.failure = error
            raise

    async def _pass(self, way: type[_Pass[T]]) -> AsyncGenerator[T, None]:
        # Not in a thread: this runs in a task of the HTTP client, which cancels it without asking, and a file on its
        # way back from a thread would be lost.
        stream, opened = open_file(self._file, self._follow_links)
        wait = settling(opened, time.time_ns())
        if wait:
            stream.close()
            await anyio.sleep(wait)
            stream, opened = open_file(self._file, self._follow_links)
        with stream:
            this = way(stream, opened, self._part, _Hashes(self._before) if self._hashed else None)
            async with contextlib.aclosing(_one_ahead(this)) as pieces:
                async for piece in pieces:
                    yield piece
            this.ended()
        if this.hashes is not None:
            self.digest, self.whole = Digest(this.hashes.md5.digest()), this.hashes.whole
        self.identity = opened


class FileBody(StreamedBody):
    """A large file that may also go by its descriptor; `lent` says that it did the last time."""

    lent = False

    async def chunks(self) -> AsyncGenerator[memoryview, None]:
        """Yield the bytes as a streamed body does."""
        self.lent = False
        async with contextlib.aclosing(super().chunks()) as chunks:
            async for chunk in chunks:
                yield chunk

    async def ranges(self) -> AsyncGenerator[FileRange, None]:
        """Yield where the bytes lie, in order, each when it was hashed. Raises `ProblemError` as `chunks` does."""
        self.lent = True
        async with contextlib.aclosing(self._pieces(_Lending)) as ranges:
            async for lent in ranges:
                yield lent


class _Hashes:
    """The MD5 of a part, and that of all up to its end where what lies before it is given."""

    def __init__(self, before: Md5 | None) -> None:
        self.md5: Md5 = hashlib.md5(usedforsecurity=False)
        self.whole = before.copy() if before is not None else None

    def update(self, data: bytes | memoryview) -> None:
        self.md5.update(data)
        if self.whole is not None:
            self.whole.update(data)


class _Pass(abc.ABC, Generic[T]):
    """One way through an open file, piece by piece."""

    def __init__(self, stream: File, opened: Identity, part: FilePart, hashes: _Hashes | None) -> None:
        self.hashes = hashes
        self._stream = stream
        self._opened = opened
        self._at, self._end = part
        stream.seek(part.start)

    @property
    def left(self) -> int:
        """Bytes that are still to be read."""
        return self._end - self._at

    def next(self) -> T:
        """Return the next piece, hashed; for a thread. Raises `ProblemError`."""
        with self._stream.held() as fd, file_problems():
            piece = self._next()
            if not self.left:
                # Before the last bytes go out: a change is noticed while the request can still be broken off.
                compare(fd, self._opened)
        return piece

    @abc.abstractmethod
    def _next(self) -> T:
        """Read the next piece."""

    @abc.abstractmethod
    def ended(self) -> None:
        """Take note that all pieces have gone out. Raises `ProblemError` where they may not be what was read."""

    def _take(self, data: bytes | memoryview) -> None:
        if not data:
            raise ProblemError(SHORTER)
        self._at += len(data)
        if self.hashes is not None:
            self.hashes.update(data)


class _Reading(_Pass[bytes]):
    """Yields the bytes."""

    def _next(self) -> bytes:
        chunk = self._stream.read(min(CHUNK, self.left))
        self._take(chunk)
        return chunk

    def ended(self) -> None:
        """Nothing to be said: what went out is what was read."""


class _Lending(_Pass[FileRange]):
    """Yields where the bytes are; they are read here only to be hashed."""

    def __init__(self, stream: File, opened: Identity, part: FilePart, hashes: _Hashes | None) -> None:
        super().__init__(stream, opened, part, hashes)
        self._scratch = memoryview(bytearray(CHUNK if hashes is not None else 0))

    def _next(self) -> FileRange:
        start, end = self._at, min(self._at + RANGE, self._end)
        if self.hashes is None:
            self._at = end
        while self._at < end:
            room = self._scratch[: end - self._at]
            self._take(room[: self._stream.readinto(room)])
        return FileRange(self._stream, start, end - start)

    def ended(self) -> None:
        """Look at the file once more: its bytes went out after they were read."""
        compare(self._stream.fileno(), self._opened)


async def _one_ahead(this: _Pass[T]) -> AsyncGenerator[T, None]:
    """Yield the pieces of a pass; the next one is on its way in a thread meanwhile."""
    coming = _visit(this) if this.left else None
    while coming is not None:
        piece = await coming
        coming = _visit(this) if this.left else None
        yield piece


def _visit(this: _Pass[T]) -> asyncio.Future[T]:
    visit = asyncio.get_running_loop().run_in_executor(None, this.next)
    # One that nobody waits for any more, because the request was broken off, has nobody to tell of its error.
    visit.add_done_callback(lambda done: done.cancelled() or done.exception())
    return visit


def slices(data: bytes) -> Iterator[memoryview]:
    """Yield bytes in pieces of 256 KiB."""
    view = memoryview(data)
    return (view[start : start + _SLICE] for start in range(0, len(view), _SLICE))
