"""Opening a file of the user's so that it is the one that was found, and noticing when it changes under our hands.

The full `fstat` of the open descriptor is compared before and after (docs/design.md section 5). Errors of the system
about a file become a `Problem` here and nowhere else.

A file system's clock moves in steps. Within the step in which a file was changed, another change leaves no trace in its
times; so a file that was changed in this very instant is opened a moment later.
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
from bulkup.model.files import FoundFile, Identity
from bulkup.model.problems import Problem, ProblemError, ProblemKind

CHUNK = 1024**2  # bytes read at once
SHORTER = Problem(ProblemKind.CHANGED, "it became shorter while it was read")
_OPEN = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
_OPEN_NO_LINK = _OPEN | os.O_NOFOLLOW
_STEP = 20_000_000  # nanoseconds; Linux counts in 1 to 10 ms
_LONG_STEP = 2_000_000_000  # of a file system that counts in seconds, or in two
_VANISHED = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})


class File(FileIO):
    """A file that is not closed while a thread holds it, and that can be lent to one that sends it."""

    def __init__(self, fd: int) -> None:
        self._kept = DeferredClose(super().close)
        super().__init__(fd)

    @contextlib.contextmanager
    def held(self) -> Iterator[int]:
        """Lend the descriptor; it stays open until it is given back. Raises ValueError where the file is closed."""
        with self._kept.used():
            yield self.fileno()

    def read_at(self, start: int, size: int) -> bytes:
        """Return up to `size` bytes from `start` on, at least one. Raises `ProblemError`, and ValueError as `held`."""
        with self.held() as fd, file_problems():
            data = os.pread(fd, size, start)
        if not data:
            raise ProblemError(SHORTER)
        return data

    def close(self) -> None:
        """Close, at once or when the last thread that holds it is done."""
        self._kept.close()


def open_file(file: FoundFile, follow_links: bool) -> tuple[File, Identity]:
    """Open a file to be read by threads; returns what it is, too. Raises `ProblemError` as `open_fd` does."""
    fd, opened = open_fd(file, follow_links)
    return File(fd), opened


def open_settled(file: FoundFile, follow_links: bool) -> tuple[File, Identity]:
    """Open a file as `open_file` does, a moment later where that must be; blocks until then, so it is for threads."""
    stream, opened = open_file(file, follow_links)
    wait = settling(opened, time.time_ns())
    if wait:
        stream.close()
        time.sleep(wait)
        stream, opened = open_file(file, follow_links)
    return stream, opened


def settling(opened: Identity, now_ns: int) -> float:
    """Return in how many seconds a change would show in the file's times; 0 where it would at once. Pure."""
    step = _LONG_STEP if opened.ctime_ns % 1_000_000_000 == 0 else _STEP
    age = now_ns - opened.ctime_ns
    # A time further ahead is another clock's: what is written now will not have it.
    return (step - age) / 1_000_000_000 if -step < age < step else 0.0


def open_fd(file: FoundFile, follow_links: bool) -> tuple[int, Identity]:
    """Open a file and make sure that it is the one found. Without waiting, should it have become a pipe meanwhile."""
    try:
        fd = os.open(file.full_path, _OPEN if follow_links else _OPEN_NO_LINK)
        try:
            return fd, _as_found(os.fstat(fd), file.identity)
        except BaseException:
            os.close(fd)
            raise
    except OSError as error:
        raise ProblemError(_problem(error)) from error


def _as_found(status: os.stat_result, found: Identity) -> Identity:
    if not stat.S_ISREG(status.st_mode):
        raise ProblemError(Problem(ProblemKind.CHANGED, "it is no longer a regular file"))
    opened = Identity.of(status)
    if opened.size != found.size or opened.mtime_ns != found.mtime_ns:
        raise ProblemError(Problem(ProblemKind.CHANGED, "it changed after it was found"))
    return opened


def identity_now(file: FoundFile, follow_links: bool) -> Identity:
    """Return what a file is now, whatever it was. Raises `ProblemError` where it is there no more."""
    with file_problems():
        status = os.stat(file.full_path, follow_symlinks=follow_links)
    if not stat.S_ISREG(status.st_mode):
        raise ProblemError(Problem(ProblemKind.CHANGED, "it is no longer a regular file"))
    return Identity.of(status)


def compare(fd: int, opened: Identity) -> None:
    """Raise `ProblemError` where the open file is no longer what it was when it was opened."""
    try:
        now = Identity.of(os.fstat(fd))
    except OSError as error:
        raise ProblemError(_problem(error)) from error
    if now != opened:
        raise ProblemError(Problem(ProblemKind.CHANGED, "it changed while it was read"))


@contextlib.contextmanager
def file_problems() -> Iterator[None]:
    """Turn the system's errors about a file of the user's into `ProblemError`, the cause chained."""
    try:
        yield
    except OSError as error:
        raise ProblemError(_problem(error)) from error


def machine_fault(error: OSError) -> Problem | None:
    """Return the problem where an error is no fault of the file's, None where it is."""
    if error.errno in NO_DESCRIPTORS:
        return Problem(ProblemKind.MACHINE, f"this process is {OUT_OF_DESCRIPTORS}; {DESCRIPTORS_HINT}")
    if error.errno == errno.ENOMEM:
        return Problem(ProblemKind.MACHINE, "this machine is out of memory")
    return None


def _problem(error: OSError) -> Problem:
    fault = machine_fault(error)
    if fault is not None:
        return fault
    if error.errno in _VANISHED:
        return Problem(ProblemKind.CHANGED, "it vanished, or became a link, after it was found")
    return Problem(ProblemKind.UNREADABLE, error.strerror or type(error).__name__)
