"""Allows one run at a time on a journal. The system releases its locks with the process.

A run holds two: `flock` on a file beside the journal, and a lock on the journal's own inode. The file can be removed
during a run, and then a second run would create another one. The inode stays locked.

The file beside the journal also keeps a little space of the disk while it is locked. On a full disk a run gives it up,
so that the journal can still record how the run ended.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import struct
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

from bulkup.errors import JournalLockedError
from bulkup.helpers.private_files import make_private_folder
from bulkup.helpers.quick_dataclass import dataclass
from bulkup.journal.database import sqlite_errors
from bulkup.journal.error_mapping import unsupported
from bulkup.journal.journal_file import open_own_file

_HELD = frozenset({errno.EWOULDBLOCK, errno.EACCES})
_NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL})
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
# Far beyond the bytes that SQLite locks, since its locks belong to the same file. `flock` would conflict with them on
# NFS. Closing another descriptor of the file does not release such a lock.
_OWN_BYTE = 1 << 62


@dataclass(frozen=True, slots=True)
class LockOptions:
    """How often the lock is tried, with times in seconds; and the space that its file keeps, in bytes.

    A command that checks for a running run holds a shared lock for microseconds, which must not make a run fail.
    Therefore the lock counts as held only after `tries` attempts, `try_interval` apart. A run that waits tries again
    every `poll_interval`. The file keeps `reserve`, unless less than `least_free` is free: then the rows need it.
    """

    tries: int = 3
    try_interval: float = 0.02
    poll_interval: float = 0.5
    reserve: int = 128 * 1024
    least_free: int = 1024 * 1024


_DEFAULTS = LockOptions()


class Lock:
    """Held from `acquire` to `release`, which comes after the journal's connections are closed.

    The lock file is never removed: otherwise two runs could each hold one.
    """

    def __init__(self, journal: str, options: LockOptions = _DEFAULTS) -> None:
        self._journal = os.path.realpath(journal)  # a link names the same journal
        self.path = self._journal + ".lock"
        self._options = options
        self._fds: list[int] = []
        self._reserve: tuple[int, int] | None = None  # the descriptor of the file, and its size without the reserve

    async def acquire(self, *, wait: bool, sleep: Callable[[float], Awaitable[None]]) -> None:
        """Take the lock. Raises `JournalLockedError` if another run holds it, unless `wait`."""
        options, tries = self._options, 0
        while not self._try():
            tries += 1
            if tries == options.tries and not wait:
                raise JournalLockedError(
                    f"another run holds the journal (process {self.holder() or 'unknown'})",
                    hint="wait until it has ended (`bulkup control status` shows it), or start this run with --wait",
                )
            await sleep(options.try_interval if tries < options.tries else options.poll_interval)

    def release(self) -> None:
        """Release the lock, if it is held."""
        self._shorten()
        while self._fds:
            os.close(self._fds.pop())

    def free_reserve(self) -> None:
        """Give the space that the lock has kept back to the disk, if it has kept any. It blocks."""
        fd = self._shorten()
        if fd is not None:
            with contextlib.suppress(OSError):
                os.fsync(fd)  # some file systems use the space again only then

    def holder(self) -> str:
        """Return the process id that the last holder wrote, empty if it cannot be read."""
        try:
            fd = os.open(self.path, _READ)
        except OSError:
            return ""
        with open(fd, encoding="ascii", errors="replace") as file, contextlib.suppress(OSError):
            text = file.read(20).strip()
            return text if text.isdigit() else ""
        return ""

    def is_held(self) -> bool:
        """Return whether a run holds the lock now, without disturbing it."""
        try:
            fd = os.open(self.path, _READ)
        except OSError:
            return False
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError as error:
            return error.errno in _HELD  # without working locks there is no run
        finally:
            os.close(fd)
        return False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def _try(self) -> bool:
        with sqlite_errors(self._journal):
            make_private_folder(os.path.dirname(self.path))
            try:
                # The journal first: nothing is created beside a file that cannot be a journal.
                self._fds.append(open_own_file(self._journal))
                self._fds.append(open_own_file(self.path))
                if _flock(self._fds[-1]) and _is_named(self._fds[-1], self.path) and _lock_inode(self._fds[0]):
                    self._write_process_id(self._fds[-1])
                    return True
            except OSError as error:
                self.release()
                if error.errno not in _NO_LOCKS:
                    raise
                raise unsupported(self._journal, "locks") from error
            except BaseException:
                self.release()
                raise
        self.release()
        return False

    def _write_process_id(self, fd: int) -> None:
        with contextlib.suppress(OSError):  # a full disk is reported by the journal; the lock is held anyway
            os.ftruncate(fd, 0)
            line, disk = f"{os.getpid()}\n".encode(), os.fstatvfs(fd)
            os.pwrite(fd, line, 0)
            if disk.f_bavail * disk.f_frsize >= self._options.least_free:
                self._reserve = fd, len(line)
                os.pwrite(fd, b"\n" * (self._options.reserve - len(line)), len(line))

    def _shorten(self) -> int | None:
        """Remove the reserve from the file. Return its descriptor, None if there is no reserve."""
        if self._reserve is None:
            return None
        (fd, size), self._reserve = self._reserve, None
        with contextlib.suppress(OSError):
            os.ftruncate(fd, size)
        return fd


def _flock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _HELD:
            return False
        raise
    return True


def _is_named(fd: int, path: str) -> bool:
    """Return whether the file still has its name. It may have been removed between opening and locking it."""
    try:
        return os.path.samestat(os.fstat(fd), os.lstat(path))
    except FileNotFoundError:
        return False


def _lock_inode(fd: int) -> bool:
    """Lock one byte of the journal's inode, where the system has locks that belong to a descriptor."""
    command = getattr(fcntl, "F_OFD_SETLK", None)
    if command is None:
        return True
    lock = struct.pack("hhqqi", fcntl.F_WRLCK, os.SEEK_SET, _OWN_BYTE, 1, 0) + b"\0" * 4
    try:
        fcntl.fcntl(fd, command, lock)
    except OSError as error:
        # The file beside the journal is locked already, so this lock is not needed where the file system lacks it.
        return error.errno in _NO_LOCKS
    return True
