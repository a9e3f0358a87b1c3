"""Reading a file so that what is sent is what was hashed, and so that a change under our hands is noticed.

A small file is read whole in one visit to a thread. A large one is streamed in chunks; each is hashed, in a thread, on
its way out. Both compare the full `fstat` of the open descriptor before and after (DESIGN section 5).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import AsyncGenerator, Iterator
from io import FileIO
from typing import NamedTuple, Protocol, Self

import aiofiles.threadpool
import anyio

from bulkup.messages import Digest, FoundFile, Identity, Kind, Problem, ProblemError
from bulkup.pipeline.opening import CHUNK, compare, file_problems, open_fd, open_file, open_settled, settling

# What is handed to the socket at once: small enough that progress shows on a slow link.
_SLICE = 256 * 1024
# What the loop may hash by itself: a tenth of a millisecond.
_TINY = 64 * 1024
_NOWAIT: int | None = getattr(os, "RWF_NOWAIT", None)


class Md5(Protocol):
    """An MD5 on its way."""

    def update(self, data: bytes, /) -> None:
        """Take more bytes in."""

    def copy(self) -> Self:
        """Return another one that has got as far."""

    def digest(self) -> bytes:
        """Return the 16 bytes."""


class WholeBody:
    """A small file in memory; its digest is known before the first byte is sent."""

    failure: Exception | None = None

    def __init__(self, data: bytes, identity: Identity) -> None:
        self.data = data
        self.size = len(data)
        self.identity = identity
        self.digest = Digest(hashlib.md5(data, usedforsecurity=False).digest())

    async def chunks(self) -> AsyncGenerator[memoryview, None]:
        """Yield the bytes in slices."""
        for piece in _slices(self.data):
            yield piece


class Part(NamedTuple):
    """A stretch of a file, in bytes from its beginning: `start` is in it, `end` is not."""

    start: int
    end: int


class StreamedBody:
    """A large file or a part of one, opened anew for each start; digest and identity are there once a pass has ended.

    `before` is the MD5 of all that lies before the part; `whole` is then that of all up to its end.
    """

    def __init__(
        self, file: FoundFile, *, follow_links: bool, part: Part | None = None, before: Md5 | None = None
    ) -> None:
        self._file = file
        self._follow_links = follow_links
        self._start, end = part or Part(0, file.identity.size)
        self._before = before
        self.size = end - self._start
        self.whole = before
        self.failure: Exception | None = None
        self.digest: Digest | None = None
        self.identity: Identity | None = None

    async def chunks(self) -> AsyncGenerator[memoryview, None]:
        """Yield the bytes in slices, hashing them. Raises `ProblemError` when the file is not what was found."""
        try:
            self.digest = self.identity = None
            async with contextlib.aclosing(self._pass()) as pieces:
                async for piece in pieces:
                    yield piece
        except Exception as error:
            # The HTTP client turns whatever is raised here into an error of its own.
            self.failure = error
            raise

    async def _pass(self) -> AsyncGenerator[memoryview, None]:
        # Not in a thread: this runs in a task of the HTTP client, which cancels it without asking, and a file on its
        # way back from a thread would be lost.
        stream, opened = open_file(self._file, self._follow_links)
        wait = settling(opened, time.time_ns())
        if wait:
            stream.close()
            await anyio.sleep(wait)
            stream, opened = open_file(self._file, self._follow_links)
        with stream:
            md5, left = hashlib.md5(usedforsecurity=False), self.size
            whole = self._before.copy() if self._before is not None else None
            stream.seek(self._start)
            source = aiofiles.threadpool.wrap(stream)
            while left:
                with file_problems():
                    chunk = await source.read(min(CHUNK, left))
                if not chunk:
                    raise ProblemError(Problem(Kind.CHANGED, "it became shorter while it was read"))
                await anyio.to_thread.run_sync(_update, md5, whole, chunk)
                left -= len(chunk)
                if not left:
                    # Before the last bytes go out: a change is noticed while the request can still be broken off.
                    compare(stream.fileno(), opened)
                for piece in _slices(chunk):
                    yield piece
        self.digest, self.identity, self.whole = Digest(md5.digest()), opened, whole


class Reader:
    """Reads small files. Raises `ProblemError` when one is not what was found, or cannot be read.

    A visit to a thread costs several times what it takes to read and hash a few kilobytes that the system holds in
    memory. So the loop asks for them itself, in a way that never waits for a disk (`RWF_NOWAIT`); what is not in
    memory, and all of a file system that cannot tell, is read in a thread.
    """

    def __init__(self, threads: int, *, follow_links: bool) -> None:
        self._limiter = anyio.CapacityLimiter(threads)
        self._follow_links = follow_links
        self._slow_devices: set[int] = set()

    async def read(self, file: FoundFile) -> WholeBody:
        """Return the file's bytes, digest and identity."""
        if _NOWAIT is not None and file.identity.size <= _TINY and file.identity.device not in self._slow_devices:
            body = self._read_cached(file)
            if body is not None:
                return body
        return await anyio.to_thread.run_sync(_read_whole, file, self._follow_links, limiter=self._limiter)

    def _read_cached(self, file: FoundFile) -> WholeBody | None:
        fd, opened = open_fd(file, self._follow_links)
        try:
            if settling(opened, time.time_ns()):
                return None
            data = bytearray(opened.size + 1)
            count = self._fill(fd, data, file.identity.device)
            if count < opened.size:
                return None
            _refuse_more(count, opened.size)
            compare(fd, opened)
        finally:
            os.close(fd)
        return WholeBody(bytes(memoryview(data)[:count]), opened)

    def _fill(self, fd: int, data: bytearray, device: int) -> int:
        """Read what the system holds in memory; returns how many bytes, -1 where that cannot be told."""
        try:
            return os.preadv(fd, [data], 0, _NOWAIT or 0)
        except BlockingIOError:
            return -1
        except OSError:
            self._slow_devices.add(device)
            return -1


def _update(md5: Md5, whole: Md5 | None, chunk: bytes) -> None:
    md5.update(chunk)
    if whole is not None:
        whole.update(chunk)


def _slices(data: bytes) -> Iterator[memoryview]:
    view = memoryview(data)
    return (view[start : start + _SLICE] for start in range(0, len(view), _SLICE))


def _read_whole(file: FoundFile, follow_links: bool) -> WholeBody:
    stream, opened = open_settled(file, follow_links)
    with stream, file_problems():
        data = _read_exactly(stream, opened.size)
        compare(stream.fileno(), opened)
    return WholeBody(data, opened)


def _read_exactly(stream: FileIO, size: int) -> bytes:
    data = stream.read(size + 1)
    while len(data) < size:
        more = stream.read(size + 1 - len(data))
        if not more:
            raise ProblemError(Problem(Kind.CHANGED, "it became shorter while it was read"))
        data += more
    _refuse_more(len(data), size)
    return data


def _refuse_more(count: int, size: int) -> None:
    """Refuse a file that holds more than its size says: it grows, or the system makes it up as it is read (`/proc`)."""
    if count > size:
        raise ProblemError(Problem(Kind.CHANGED, "it holds more bytes than its size says"))
