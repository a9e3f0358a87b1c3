"""Opening one of the user's files, and noticing that it changed since it was found or while it was read.

The full `fstat` of the open descriptor is compared before and after (docs/design.md section 5). Only here an error of
the system about a file becomes a `Problem`.

The clock of a file system moves in steps. Within one step a second change leaves no trace in the file's times, so a
file that was changed in the current step is opened a moment later.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
from collections.abc import Iterator
from io import FileIO

from bulkup.helpers.descriptors import DESCRIPTORS_HINT, NO_DESCRIPTORS, OUT_OF_DESCRIPTORS, DeferredClose
from bulkup.helpers.quick_dataclass import dataclass
from bulkup.model.files import FoundFile, Identity
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.pipeline.files.file_opener import FileOpener

CHUNK = 1024**2  # bytes read at once
SHORTER = Problem(ProblemKind.CHANGED, "it became shorter while it was read")
CHANGED = Problem(ProblemKind.CHANGED, "it changed while it was read")
TOUCHED = Problem(ProblemKind.CHANGED, "its change time or inode changed while it was read")
REPLACED = Problem(ProblemKind.CHANGED, "another file took its place after it was found: device or inode differ")
LONGER = Problem(ProblemKind.CHANGED, "it contains more bytes than its size")
_SECOND = 1_000_000_000  # nanoseconds
# The errors of a name that is gone, or leads through a link.
VANISHED = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EXDEV})


@dataclass(frozen=True, slots=True)
class ReadingOptions:
    """How files are read. Sizes in bytes, times in seconds.

    `clock_step` is a step of a file system's clock (Linux counts in 1 to 10 ms), `long_clock_step` that of a file
    system that counts in seconds or in pairs of seconds.

    A small file of up to `cached` bytes is read by the event loop if the system has it in memory. Hashing it takes less
    than half a millisecond, and runs that used threads took longer. `nowait` is the flag of `preadv` that never waits
    for a disk, None where the system has none. Up to `slow_readers` threads read small files of slow devices, where
    they wait most of the time.

    A large file goes to the socket in slices of `slice` bytes, so that progress shows on a slow link. While a chunk
    takes less than `quick` seconds it goes in one piece, which costs less. With `sendfile` the piece is `range` bytes:
    few visits to threads, and the hashed bytes are still in the system's memory when they are sent.
    """

    clock_step: float = 0.02
    long_clock_step: float = 2.0
    cached: int = 256 * 1024
    nowait: int | None = getattr(os, "RWF_NOWAIT", None)
    slice: int = 256 * 1024
    quick: float = 0.25
    range: int = 8 * CHUNK
    slow_readers: int = 32


READING = ReadingOptions()


class File(FileIO):
    """An open file. It stays open while a thread uses it, or a sender its descriptor."""

    def __init__(self, fd: int) -> None:
        self._kept = DeferredClose(super().close)
        super().__init__(fd)

    @contextlib.contextmanager
    def held(self) -> Iterator[int]:
        """Keep the file open, and yield its descriptor. Raises ValueError if it is closed."""
        with self._kept.in_use():
            yield self.fileno()

    def read_at(self, start: int, size: int) -> bytes:
        """Return between 1 and `size` bytes from `start` on. Raises `ProblemError`, and ValueError as `held`."""
        with self.held() as fd, file_problems():
            data = os.pread(fd, size, start)
        if not data:
            raise ProblemError(SHORTER)
        return data

    def close(self) -> None:
        """Close the file, at once or when its last user has finished."""
        self._kept.close()


def open_file(file: FoundFile, opener: FileOpener) -> tuple[File, Identity]:
    """Open a file for threads; return its identity, too. Raises `ProblemError` as `open_fd` does."""
    fd, opened = open_fd(file, opener)
    return File(fd), opened


def open_settled(file: FoundFile, opener: FileOpener, options: ReadingOptions = READING) -> tuple[File, Identity]:
    """Open a file as `open_file` does, after a wait if it has just changed. Blocks, so it is for threads."""
    stream, opened = open_file(file, opener)
    wait = settling(opened, time.time_ns(), options)
    if wait:
        stream.close()
        time.sleep(wait)
        stream, opened = open_file(file, opener)
    return stream, opened


def settling(opened: Identity, now_ns: int, options: ReadingOptions = READING) -> float:
    """Return the seconds until a further change would show in the file's times, 0 if it would already. Pure."""
    whole_seconds = opened.ctime_ns % _SECOND == 0
    step = (options.long_clock_step if whole_seconds else options.clock_step) * _SECOND
    age = now_ns - opened.ctime_ns
    # A time further in the future comes from another clock; a new change will not get the same time.
    return (step - age) / _SECOND if -step < age < step else 0.0


def open_fd(file: FoundFile, opener: FileOpener) -> tuple[int, Identity]:
    """Open a file and check that it is the one that was found. Does not wait, even if it has become a pipe."""
    try:
        fd = opener.open(file.source, file.path)
        try:
            return fd, _as_found(os.fstat(fd), file.identity, opener)
        except BaseException:
            os.close(fd)
            raise
    except OSError as error:
        raise ProblemError(problem_of(error)) from error


def _as_found(status: os.stat_result, found: Identity, opener: FileOpener) -> Identity:
    if not stat.S_ISREG(status.st_mode):
        raise ProblemError(Problem(ProblemKind.CHANGED, "it is no longer a regular file"))
    if opener.stat_of(status) == found:  # nearly always, and cheaper than an identity
        return found
    opened = opener.identity_of(status)
    if opened.size != found.size or opened.mtime_ns != found.mtime_ns:
        raise ProblemError(Problem(ProblemKind.CHANGED, "it changed after it was found"))
    if opened.inode != found.inode or opened.device != found.device:
        raise ProblemError(REPLACED)
    return opened


def identity_now(file: FoundFile, opener: FileOpener) -> Identity:
    """Return a file's current identity. Raises `ProblemError` if it is gone or no longer a regular file."""
    with file_problems():
        status = opener.status(file.source, file.path)
    if not stat.S_ISREG(status.st_mode):
        raise ProblemError(Problem(ProblemKind.CHANGED, "it is no longer a regular file"))
    return opener.identity_of(status)


def compare(fd: int, opened: Identity, opener: FileOpener) -> None:
    """Raise `ProblemError` if the open file's identity is no longer `opened`."""
    try:
        status = os.fstat(fd)
    except OSError as error:
        raise ProblemError(problem_of(error)) from error
    if opener.stat_of(status) == opened:
        return
    now = opener.identity_of(status)
    if now != opened:
        same = now.size == opened.size and now.mtime_ns == opened.mtime_ns
        raise ProblemError(TOUCHED if same else CHANGED)


def check_end(fd: int, opened: Identity, opener: FileOpener) -> None:
    """Raise `ProblemError` if the identity is no longer `opened`, or the file holds bytes after its size.

    The size is wrong where a file system makes up the content (`/proc`), or copies it from elsewhere (FUSE).
    """
    compare(fd, opened, opener)
    with file_problems():
        more = os.pread(fd, 1, opened.size)
    if more:
        raise ProblemError(LONGER)


@contextlib.contextmanager
def file_problems() -> Iterator[None]:
    """Turn errors of the system about a user's file into `ProblemError`, with the cause chained."""
    try:
        yield
    except OSError as error:
        raise ProblemError(problem_of(error)) from error


def machine_fault(error: OSError) -> Problem | None:
    """Return the problem of an error that the machine caused, None if the file caused it."""
    if error.errno in NO_DESCRIPTORS:
        return Problem(ProblemKind.MACHINE, f"this process is {OUT_OF_DESCRIPTORS}; {DESCRIPTORS_HINT}")
    if error.errno == errno.ENOMEM:
        return Problem(ProblemKind.MACHINE, "this machine is out of memory")
    return None


def problem_of(error: OSError) -> Problem:
    """Return the problem of a file that was found, and then could not be examined or opened."""
    fault = machine_fault(error)
    if fault is not None:
        return fault
    if error.errno in VANISHED:
        return Problem(ProblemKind.CHANGED, "it vanished, or became a link, after it was found")
    return Problem(ProblemKind.UNREADABLE, error.strerror or type(error).__name__)
