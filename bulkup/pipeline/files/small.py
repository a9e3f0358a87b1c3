"""Small files, read whole so that what is sent is what was hashed, and so that a change under our hands is noticed.

The full `fstat` of the open descriptor is compared before and after (docs/design.md section 5).
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import AsyncGenerator
from io import FileIO

import anyio

from bulkup.model.files import Digest, FoundFile, Identity
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.pipeline.files.large import slices
from bulkup.pipeline.files.opening import SHORTER, compare, file_problems, open_fd, open_settled, settling

_MOUNTS = "/proc/self/mountinfo"
_IN_MEMORY = frozenset({"tmpfs", "ramfs", "devtmpfs", "hugetlbfs"})


def lies_in_memory(device: int, mounts: str = _MOUNTS) -> bool:
    """Say whether a device (`st_dev`) is a file system without a disk: to read from it is to copy memory.

    Such a one need not know `RWF_NOWAIT` (tmpfs does not). False where the system has no list of mounts to tell by.
    """
    wanted = f"{os.major(device)}:{os.minor(device)}"
    try:
        with open(mounts, encoding="utf-8", errors="surrogateescape") as lines:
            return any(_type_of(line) in _IN_MEMORY for line in lines if line.split()[2:3] == [wanted])
    except OSError:
        return False


def _type_of(line: str) -> str:
    """Return the type in a line of mountinfo: what follows the lone dash (proc_pid_mountinfo(5))."""
    _, _, told = line.partition(" - ")
    return told.split(" ", 1)[0]


# What the loop may hash by itself: it takes less than half a millisecond, and by threads whole runs took longer.
_TINY = 256 * 1024
_NOWAIT: int | None = getattr(os, "RWF_NOWAIT", None)


class WholeBody:
    """A small file in memory; its digest is known before the first byte is sent, None where it is not `hashed`."""

    failure: Exception | None = None

    def __init__(self, data: bytes, identity: Identity, *, hashed: bool = True) -> None:
        self.data = data
        self.size = len(data)
        self.identity = identity
        self.digest = Digest(hashlib.md5(data, usedforsecurity=False).digest()) if hashed else None

    async def chunks(self) -> AsyncGenerator[memoryview, None]:
        """Yield the bytes in slices."""
        for piece in slices(self.data):
            yield piece


class SmallFileReader:
    """Reads small files. Raises `ProblemError` when one is not what was found, or cannot be read.

    A visit to a thread costs several times what it takes to read and hash a few kilobytes that the system holds in
    memory. So the loop asks for them itself, in a way that never waits for a disk (`RWF_NOWAIT`); what is not in
    memory, and all of a file system that cannot tell, is read in a thread.
    """

    def __init__(self, threads: int, *, follow_links: bool, hashed: bool = True) -> None:
        self._limiter = anyio.CapacityLimiter(threads)
        self._follow_links = follow_links
        self._hashed = hashed
        # How to ask for a file's bytes without waiting, by device; None where there is no way.
        self._ways: dict[int, int | None] = {}

    async def read(self, file: FoundFile) -> WholeBody:
        """Return the file's bytes, digest and identity."""
        if file.identity.size <= _TINY:
            way = self._ways.get(file.identity.device, _NOWAIT)
            body = self._read_cached(file, way) if way is not None else None
            if body is not None:
                return body
        args = file, self._follow_links, self._hashed
        return await anyio.to_thread.run_sync(_read_whole, *args, limiter=self._limiter)

    def _read_cached(self, file: FoundFile, way: int) -> WholeBody | None:
        fd, opened = open_fd(file, self._follow_links)
        try:
            if settling(opened, time.time_ns()):
                return None
            data = bytearray(opened.size + 1)
            count = self._fill(fd, data, file.identity.device, way)
            if count < opened.size:
                return None
            _refuse_more(count, opened.size)
            compare(fd, opened)
        finally:
            os.close(fd)
        return WholeBody(bytes(memoryview(data)[:count]), opened, hashed=self._hashed)

    def _fill(self, fd: int, data: bytearray, device: int, way: int) -> int:
        """Read what the system holds in memory; returns how many bytes, -1 where that cannot be told."""
        try:
            return os.preadv(fd, [data], 0, way)
        except BlockingIOError:
            return -1
        except OSError:
            self._ways[device] = 0 if way and lies_in_memory(device) else None
            return -1


def _read_whole(file: FoundFile, follow_links: bool, hashed: bool) -> WholeBody:
    stream, opened = open_settled(file, follow_links)
    with stream, file_problems():
        data = _read_exactly(stream, opened.size)
        compare(stream.fileno(), opened)
    return WholeBody(data, opened, hashed=hashed)


def _read_exactly(stream: FileIO, size: int) -> bytes:
    data = stream.read(size + 1)
    while len(data) < size:
        more = stream.read(size + 1 - len(data))
        if not more:
            raise ProblemError(SHORTER)
        data += more
    _refuse_more(len(data), size)
    return data


def _refuse_more(count: int, size: int) -> None:
    """Refuse a file that holds more than its size says: it grows, or the system makes it up as it is read (`/proc`)."""
    if count > size:
        raise ProblemError(Problem(ProblemKind.CHANGED, "it holds more bytes than its size says"))
