"""Large files: a thread reads and hashes the next piece while the current one is sent.

A body offers its bytes in two ways. `chunks` yields the bytes that were hashed. `ranges` yields their positions in the
open file, for a sender with `sendfile`: the system reads the file a second time, so only storage's answer can prove
that both reads gave the same bytes.

At most two chunks of a file are in memory, with `ranges` one.
"""

from __future__ import annotations

import abc
import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import Generic, NamedTuple, TypeVar

import anyio

from bulkup.model.bodies import FileRange
from bulkup.model.files import Algorithm, Digest, FoundFile, Identity
from bulkup.model.problems import ProblemError
from bulkup.pipeline.files.file_opener import FileOpener
from bulkup.pipeline.files.hashing import MD5_ONLY, RunningDigests
from bulkup.pipeline.files.mounts import is_remote
from bulkup.pipeline.files.opening import (
    CHUNK,
    READING,
    SHORTER,
    File,
    ReadingOptions,
    check_end,
    compare,
    file_problems,
    open_file,
    settling,
)
from bulkup.pipeline.files.slow_devices import SlowDevices

S = TypeVar("S")
T = TypeVar("T")


class FilePart(NamedTuple):
    """A range of a file in bytes, `start` included and `end` not."""

    start: int
    end: int


class StreamedBody:
    """A large file or a part of one. Each pass opens it anew; digests and identity are set at the end of a pass.

    `before` has the checksums of the bytes before the part; `whole` has then those up to the end of the part. `digest`
    is that of the first algorithm, `others` are those of the further ones. Without an algorithm there is no digest, and
    `whole` is `before`.
    """

    data: bytes | None = None  # never all of them in memory

    def __init__(
        self,
        file: FoundFile,
        opener: FileOpener,
        slow: SlowDevices | None = None,
        *,
        part: FilePart | None = None,
        before: RunningDigests | None = None,
        algorithms: tuple[Algorithm, ...] = MD5_ONLY,
        options: ReadingOptions = READING,
    ) -> None:
        self.file = file
        self._opener = opener
        self._slow = slow or SlowDevices(is_remote)
        self._part = part or FilePart(0, file.identity.size)
        self._before = before
        self._algorithms = algorithms
        self._options = options
        self.size = self._part.end - self._part.start
        self.whole = before
        self.failure: Exception | None = None
        self.digest: Digest | None = None
        self.others: tuple[Digest, ...] = ()
        self.identity: Identity | None = None

    async def chunks(self) -> AsyncGenerator[memoryview, None]:
        """Yield the bytes and hash them: in slices, and in whole chunks while the link is quick.

        Raises `ProblemError` if the file is not the one that was found.
        """
        quick = False
        async with contextlib.aclosing(self._pieces(_Reading)) as chunks:
            async for chunk in chunks:
                begun = time.monotonic()
                for piece in (memoryview(chunk),) if quick else slices(chunk, self._options.slice):
                    yield piece
                quick = time.monotonic() - begun < self._options.quick

    async def _pieces(self, way: type[_Pass[T]]) -> AsyncGenerator[T, None]:
        try:
            self.digest = self.identity = None
            self.others = ()
            async with contextlib.aclosing(self._pass(way)) as pieces:
                async for piece in pieces:
                    yield piece
        except Exception as error:
            # The HTTP client turns an error raised here into one of its own.
            self.failure = error
            raise

    async def _pass(self, way: type[_Pass[T]]) -> AsyncGenerator[T, None]:
        stream, opened = await self._open()
        wait = settling(opened, time.time_ns(), self._options)
        if wait:
            stream.close()
            await anyio.sleep(wait)
            stream, opened = await self._open()
        with stream:
            hashes = _Hashes(self._algorithms, self._before) if self._algorithms else None
            this = way(stream, opened, self._part, hashes, self._opener, self._options)
            async with contextlib.aclosing(_one_ahead(this)) as pieces:
                async for piece in pieces:
                    yield piece
            this.ended()
        if this.hashes is not None:
            self.digest, *others = this.hashes.part.digests()
            self.others, self.whole = (*others,), this.hashes.whole
        self.identity = opened

    async def _open(self) -> tuple[File, Identity]:
        begun, device = time.monotonic(), self.file.identity.device
        if self._slow.by_threads(device, begun):
            return await _open_in_thread(self.file, self._opener)
        try:
            return open_file(self.file, self._opener)
        finally:
            now = time.monotonic()
            self._slow.opened(device, now - begun, now)


async def _open_in_thread(file: FoundFile, opener: FileOpener) -> tuple[File, Identity]:
    opening = asyncio.get_running_loop().run_in_executor(None, open_file, file, opener)
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        # The HTTP client may cancel this task at any time. The file that the thread is about to return is closed then.
        opening.add_done_callback(_close_opened)
        raise


def _close_opened(opening: asyncio.Future[tuple[File, Identity]]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result()[0].close()


class FileBody(StreamedBody):
    """A large file that can also be sent by `sendfile`; `lent` says whether the last pass was."""

    lent = False

    async def chunks(self) -> AsyncGenerator[memoryview, None]:
        """Yield the bytes as a streamed body does."""
        self.lent = False
        async with contextlib.aclosing(super().chunks()) as chunks:
            async for chunk in chunks:
                yield chunk

    async def ranges(self) -> AsyncGenerator[FileRange, None]:
        """Yield the ranges of the file in order, each once it is hashed. Raises `ProblemError` as `chunks` does."""
        self.lent = True
        async with contextlib.aclosing(self._pieces(_Lending)) as ranges:
            async for lent in ranges:
                yield lent


class _Hashes:
    """The checksums of a part, and those of the file up to the end of the part if those before it are known."""

    def __init__(self, algorithms: tuple[Algorithm, ...], before: RunningDigests | None) -> None:
        self.part = RunningDigests(algorithms)
        self.whole = before.copy() if before is not None else None

    def update(self, data: bytes | memoryview) -> None:
        self.part.update(data)
        if self.whole is not None:
            self.whole.update(data)


class _Pass(abc.ABC, Generic[T]):
    """One pass through an open file, piece by piece."""

    def __init__(
        self,
        stream: File,
        opened: Identity,
        part: FilePart,
        hashes: _Hashes | None,
        opener: FileOpener,
        options: ReadingOptions,
    ) -> None:
        self.hashes = hashes
        self._opener = opener
        self._options = options
        self._stream = stream
        self._opened = opened
        self._at, self._end = part
        stream.seek(part.start)

    @property
    def left(self) -> int:
        """The number of bytes not read yet."""
        return self._end - self._at

    def next(self) -> T:
        """Return the next piece, hashed; for a thread. Raises `ProblemError`."""
        with self._stream.held() as fd, file_problems():
            piece = self._next()
            if not self.left:
                # Before the last bytes are sent, so that a changed file can still break off its request.
                self._check(fd)
        return piece

    def check(self) -> None:
        """Check the file of a part without bytes; for a thread. Raises `ProblemError`."""
        with self._stream.held() as fd:
            self._check(fd)

    def _check(self, fd: int) -> None:
        if self._end == self._opened.size:
            check_end(fd, self._opened, self._opener)
        else:
            compare(fd, self._opened, self._opener)

    @abc.abstractmethod
    def _next(self) -> T:
        """Read the next piece."""

    @abc.abstractmethod
    def ended(self) -> None:
        """Check the file after all pieces were sent. Raises `ProblemError` if other bytes may have been sent."""

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
        """Check nothing: the bytes that were sent are those that were read."""


class _Lending(_Pass[FileRange]):
    """Yields ranges; reads their bytes only to hash them."""

    def __init__(
        self,
        stream: File,
        opened: Identity,
        part: FilePart,
        hashes: _Hashes | None,
        opener: FileOpener,
        options: ReadingOptions,
    ) -> None:
        super().__init__(stream, opened, part, hashes, opener, options)
        self._scratch = memoryview(bytearray(CHUNK if hashes is not None else 0))

    def _next(self) -> FileRange:
        start, end = self._at, min(self._at + self._options.range, self._end)
        if self.hashes is None:
            self._at = end
        while self._at < end:
            room = self._scratch[: end - self._at]
            self._take(room[: self._stream.readinto(room)])
        return FileRange(self._stream, start, end - start)

    def ended(self) -> None:
        """Compare the file again: the system read its bytes after they were hashed."""
        compare(self._stream.fileno(), self._opened, self._opener)


async def _one_ahead(this: _Pass[T]) -> AsyncGenerator[T, None]:
    """Yield the pieces of a pass, while a thread reads the next one."""
    if not this.left:
        await _visit(this.check)
        return
    coming: asyncio.Future[T] | None = _visit(this.next)
    while coming is not None:
        piece = await coming
        coming = _visit(this.next) if this.left else None
        yield piece


def _visit(step: Callable[[], S]) -> asyncio.Future[S]:
    visit = asyncio.get_running_loop().run_in_executor(None, step)
    # After the request was broken off no task reads its error, which asyncio would log.
    visit.add_done_callback(lambda done: done.cancelled() or done.exception())
    return visit


def slices(data: bytes | bytearray, size: int = READING.slice) -> Iterator[memoryview]:
    """Yield bytes in slices of `size`."""
    view = memoryview(data)
    return (view[start : start + size] for start in range(0, len(view), size))
