"""Reading a file so that what is sent is what was hashed, and so that a change under our hands is noticed.

A small file is read whole in one visit to a thread. A large one is streamed in chunks; each is hashed, in a thread, on
its way out. Both compare the full `fstat` of the open descriptor before and after (DESIGN section 5).
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from io import FileIO

import aiofiles.threadpool
import anyio

from bulkup.messages import Digest, FoundFile, Identity, Kind, Problem, ProblemError

CHUNK = 1024**2
# What is handed to the socket at once: small enough that progress shows on a slow link.
_SLICE = 256 * 1024
# What the loop may hash by itself: a tenth of a millisecond.
_TINY = 64 * 1024
_OPEN = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
_NOWAIT: int | None = getattr(os, "RWF_NOWAIT", None)
_OUT_OF_DESCRIPTORS = frozenset({errno.EMFILE, errno.ENFILE})
_VANISHED = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})


class _File(FileIO):
    """A file that is not closed while a thread reads from it.

    A cancelled reader leaves its thread behind. Closed under it, the descriptor's number could belong to another file
    by the time the thread gets to use it.
    """

    def __init__(self, fd: int) -> None:
        self._state = threading.Lock()  # never held over a read: the event loop closes, and must not wait for a disk
        self._reading = self._left = False
        super().__init__(fd)

    def read(self, size: int | None = -1, /) -> bytes:
        with self._state:
            self._reading = True
        try:
            return super().read(-1 if size is None else size)
        finally:
            with self._state:
                self._reading = False
                if self._left:
                    super().close()

    def close(self) -> None:
        with self._state:
            self._left = True
            if not self._reading:
                super().close()


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


class StreamedBody:
    """A large file, opened anew for each start; digest and identity are there once a whole pass has ended."""

    def __init__(self, file: FoundFile, *, follow_links: bool) -> None:
        self._file = file
        self._follow_links = follow_links
        self.size = file.identity.size
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
        stream, opened = _open(self._file, self._follow_links)
        with stream:
            md5, left = hashlib.md5(usedforsecurity=False), self.size
            source = aiofiles.threadpool.wrap(stream)
            while left:
                with _file_problems():
                    chunk = await source.read(min(CHUNK, left))
                if not chunk:
                    raise ProblemError(Problem(Kind.CHANGED, "it became shorter while it was read"))
                await anyio.to_thread.run_sync(md5.update, chunk)
                left -= len(chunk)
                if not left:
                    # Before the last bytes go out: a change is noticed while the request can still be broken off.
                    _compare(stream.fileno(), opened)
                for piece in _slices(chunk):
                    yield piece
        self.digest, self.identity = Digest(md5.digest()), opened


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
        fd, opened = _open_fd(file, self._follow_links)
        try:
            data = bytearray(opened.size)
            if not self._filled(fd, data, file.identity.device):
                return None
            _compare(fd, opened)
        finally:
            os.close(fd)
        return WholeBody(bytes(data), opened)

    def _filled(self, fd: int, data: bytearray, device: int) -> bool:
        try:
            return os.preadv(fd, [data], 0, _NOWAIT or 0) == len(data)
        except BlockingIOError:
            return False
        except OSError:
            self._slow_devices.add(device)
            return False


async def digest_of(
    file: FoundFile, limiter: anyio.CapacityLimiter, *, follow_links: bool, stopped: Callable[[], bool] = lambda: False
) -> tuple[Digest, Identity] | None:
    """Hash a file without sending it; returns what it is now, too. None when `stopped` said so before the end.

    Raises `ProblemError` when it changes meanwhile, or cannot be read.
    """
    return await anyio.to_thread.run_sync(_digest_of, file, follow_links, stopped, limiter=limiter)


def _slices(data: bytes) -> Iterator[memoryview]:
    view = memoryview(data)
    return (view[start : start + _SLICE] for start in range(0, len(view), _SLICE))


def _open(file: FoundFile, follow_links: bool) -> tuple[FileIO, Identity]:
    fd, opened = _open_fd(file, follow_links)
    return _File(fd), opened


def _open_fd(file: FoundFile, follow_links: bool) -> tuple[int, Identity]:
    """Open a file and make sure that it is the one found. Without waiting, should it have become a pipe meanwhile."""
    flags = _OPEN if follow_links else _OPEN | os.O_NOFOLLOW
    with _file_problems():
        fd = os.open(file.full_path, flags)
        try:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode):
                raise ProblemError(Problem(Kind.CHANGED, "it is no longer a regular file"))
            opened = Identity.of(status)
            if (opened.size, opened.mtime_ns) != (file.identity.size, file.identity.mtime_ns):
                raise ProblemError(Problem(Kind.CHANGED, "it changed after it was found"))
        except BaseException:
            os.close(fd)
            raise
        return fd, opened


def _compare(fd: int, opened: Identity) -> None:
    with _file_problems():
        if Identity.of(os.fstat(fd)) != opened:
            raise ProblemError(Problem(Kind.CHANGED, "it changed while it was read"))


def _read_whole(file: FoundFile, follow_links: bool) -> WholeBody:
    stream, opened = _open(file, follow_links)
    with stream, _file_problems():
        data = _read_exactly(stream, opened.size)
        _compare(stream.fileno(), opened)
    return WholeBody(data, opened)


def _read_exactly(stream: FileIO, size: int) -> bytes:
    data = stream.read(size)
    while len(data) < size:
        more = stream.read(size - len(data))
        if not more:
            raise ProblemError(Problem(Kind.CHANGED, "it became shorter while it was read"))
        data += more
    return data


def _digest_of(file: FoundFile, follow_links: bool, stopped: Callable[[], bool]) -> tuple[Digest, Identity] | None:
    stream, opened = _open(file, follow_links)
    md5 = hashlib.md5(usedforsecurity=False)
    with stream, _file_problems():
        while chunk := stream.read(CHUNK):
            if stopped():
                return None
            md5.update(chunk)
        _compare(stream.fileno(), opened)
    return Digest(md5.digest()), opened


@contextlib.contextmanager
def _file_problems() -> Iterator[None]:
    """Turn the system's errors about a file of the user's into `ProblemError`, the cause chained."""
    try:
        yield
    except OSError as error:
        raise ProblemError(_problem(error)) from error


def _problem(error: OSError) -> Problem:
    if error.errno in _OUT_OF_DESCRIPTORS:
        return Problem(
            Kind.MACHINE, "this process is out of file descriptors; raise `ulimit -n` or lower --concurrency"
        )
    if error.errno in _VANISHED:
        return Problem(Kind.CHANGED, "it vanished, or became a link, after it was found")
    return Problem(Kind.UNREADABLE, error.strerror or type(error).__name__)
