"""Small files: read whole, so that the bytes that are sent are the bytes that were hashed.

A visit to a thread costs several times as much as reading and hashing a few kilobytes that the system has in memory. So
the event loop reads such files itself, with a flag that never waits for a disk (`RWF_NOWAIT`). A thread reads files
that are not in memory, and all files of a file system that does not know the flag, or where opening a file is slow.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import AsyncGenerator
from io import FileIO

import anyio

from bulkup.model.files import Algorithm, Digest, FoundFile, Identity
from bulkup.model.problems import ProblemError
from bulkup.pipeline.files.file_opener import FileOpener
from bulkup.pipeline.files.hashing import MD5_ONLY, digests_of_data
from bulkup.pipeline.files.large import slices
from bulkup.pipeline.files.mounts import is_remote, lies_in_memory
from bulkup.pipeline.files.opening import (
    LONGER,
    READING,
    SHORTER,
    ReadingOptions,
    compare,
    file_problems,
    open_fd,
    open_settled,
    settling,
)
from bulkup.pipeline.files.slow_devices import SlowDevices

_NEW_MD5 = hashlib.md5(usedforsecurity=False)


class WholeBody:
    """A small file in memory. Its digests are known before the first byte is sent.

    `digest` is that of the first algorithm, None if there is none. `others` are those of further algorithms.
    """

    failure: Exception | None = None
    digest: Digest | None = None
    others: tuple[Digest, ...] = ()

    def __init__(
        self, data: bytes | bytearray, identity: Identity, algorithms: tuple[Algorithm, ...] = MD5_ONLY
    ) -> None:
        self.data = data
        self.size = len(data)
        self.identity = identity
        if algorithms == MD5_ONLY:  # nearly always
            md5 = _NEW_MD5.copy()  # a third cheaper than a new one
            md5.update(data)
            self.digest = Digest(md5.digest())
        elif algorithms:
            self.digest, *others = digests_of_data(data, algorithms)
            self.others = (*others,)

    async def chunks(self) -> AsyncGenerator[memoryview, None]:
        """Yield the bytes in slices."""
        for piece in slices(self.data):
            yield piece


class SmallFileReader:
    """Reads small files. Raises `ProblemError` if a file is not the one that was found, or cannot be read."""

    def __init__(
        self,
        threads: int,
        opener: FileOpener,
        slow: SlowDevices | None = None,
        *,
        algorithms: tuple[Algorithm, ...] = MD5_ONLY,
        options: ReadingOptions = READING,
    ) -> None:
        self._limiter = anyio.CapacityLimiter(threads)
        self._slow_limiter = anyio.CapacityLimiter(options.slow_readers)
        self._opener = opener
        self._slow = slow or SlowDevices(is_remote)
        self._algorithms = algorithms
        self._options = options
        self._room: memoryview | None = None  # for the bytes of one file, between two visits of the event loop
        # A file that changed before that many nanoseconds is settled on every file system.
        self._recent = int(max(options.clock_step, options.long_clock_step) * 1_000_000_000)
        # The flag of `preadv` that does not wait, by device; None for devices that are read in a thread.
        self._flags: dict[int, int | None] = {}

    async def read(self, file: FoundFile) -> WholeBody:
        """Return the file's bytes, digests and identity."""
        return self.read_at_once(file) or await self.read_by_thread(file)

    def read_at_once(self, file: FoundFile) -> WholeBody | None:
        """Return what `read` does without waiting for a disk. None if a thread has to read the file."""
        begun, device = time.monotonic(), file.identity.device
        if file.identity.size > self._options.cached or self._slow.by_threads(device, begun):
            return None
        flag = self._flags.get(device, self._options.nowait)
        return self._read_cached(file, flag, begun) if flag is not None else None

    async def read_by_thread(self, file: FoundFile) -> WholeBody:
        """Return what `read` does, read by a thread."""
        args = file, self._opener, self._algorithms, self._options
        slow = self._slow.by_threads(file.identity.device, time.monotonic())
        limiter = self._slow_limiter if slow else self._limiter
        return await anyio.to_thread.run_sync(_read_whole, *args, limiter=limiter)

    def _read_cached(self, file: FoundFile, flag: int, begun: float) -> WholeBody | None:
        try:
            fd, opened = open_fd(file, self._opener)
        finally:
            now = time.monotonic()
            self._slow.opened(file.identity.device, now - begun, now)
        try:
            now_ns = time.time_ns()
            if now_ns - opened.ctime_ns < self._recent and settling(opened, now_ns, self._options):
                return None
            # One buffer for all files: to allocate one is to fill it with zeros.
            room = self._room = self._room or memoryview(bytearray(self._options.cached + 1))
            count = self._fill(fd, room[: opened.size + 1], file.identity.device, flag)
            if count < opened.size:
                return None
            # The system keeps no bytes in memory after the size, so a full read that ends there has reached the end.
            if count > opened.size:
                raise ProblemError(LONGER)
            compare(fd, opened, self._opener)
        finally:
            os.close(fd)
        return WholeBody(room[:count].tobytes(), opened, self._algorithms)

    def _fill(self, fd: int, data: memoryview, device: int, flag: int) -> int:
        """Read the bytes that the system has in memory; return their number, or -1 if a thread has to read them."""
        try:
            return os.preadv(fd, [data], 0, flag)
        except BlockingIOError:
            return -1
        except OSError:
            self._flags[device] = 0 if flag and lies_in_memory(device) else None
            return -1


def _read_whole(
    file: FoundFile, opener: FileOpener, algorithms: tuple[Algorithm, ...], options: ReadingOptions
) -> WholeBody:
    stream, opened = open_settled(file, opener, options)
    with stream, file_problems():
        data = _read_exactly(stream, opened.size)
        compare(stream.fileno(), opened, opener)
    return WholeBody(data, opened, algorithms)


def _read_exactly(stream: FileIO, size: int) -> bytes:
    """Return the bytes up to the end. A read may return fewer than were asked for, so only an empty one is the end."""
    data = stream.read(size + 1)
    while len(data) <= size and (more := stream.read(size + 1 - len(data))):
        data += more
    if len(data) != size:
        raise ProblemError(SHORTER if len(data) < size else LONGER)
    return data
