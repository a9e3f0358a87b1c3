"""Allows one run at a time on a journal: `flock` on a file beside it, which the system releases with the process."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from bulkup.errors import JournalLockedError
from bulkup.helpers.private_files import make_private_folder, open_private
from bulkup.journal.database import sqlite_errors


@dataclass(frozen=True, slots=True)
class LockOptions:
    """How often the lock is tried; times in seconds.

    A command that checks for a running run holds a shared lock for microseconds, which must not make a run fail.
    Therefore the lock counts as held only after `tries` attempts, `try_interval` apart. A run that waits tries again
    every `poll_interval`.
    """

    tries: int = 3
    try_interval: float = 0.02
    poll_interval: float = 0.5


_DEFAULTS = LockOptions()


class Lock:
    """Held from `acquire` to `release`. The file is never removed: otherwise two runs could each hold one."""

    def __init__(self, journal: str, options: LockOptions = _DEFAULTS) -> None:
        self.path = os.path.realpath(journal) + ".lock"  # a link names the same journal
        self._options = options
        self._fd: int | None = None

    async def acquire(self, *, wait: bool, sleep: Callable[[float], Awaitable[None]]) -> None:
        """Take the lock. Raises `JournalLockedError` if another run holds it, unless `wait`."""
        options, tries = self._options, 0
        while not self._try():
            tries += 1
            if tries == options.tries and not wait:
                raise JournalLockedError(
                    f"another run holds the journal (process {self.holder() or 'unknown'})",
                    hint="wait until it has ended, or start this run with --wait",
                )
            await sleep(options.try_interval if tries < options.tries else options.poll_interval)

    def release(self) -> None:
        """Release the lock, if it is held."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def holder(self) -> str:
        """Return the process id that the last holder wrote, empty if it cannot be read."""
        try:
            with open(self.path, encoding="ascii") as file:
                return file.read(20).strip()
        except (OSError, ValueError):
            return ""

    def is_held(self) -> bool:
        """Say whether a run holds the lock now, without disturbing it."""
        try:
            fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
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
        with sqlite_errors(self.path):
            make_private_folder(os.path.dirname(os.path.abspath(self.path)))
            fd = open_private(self.path, os.O_RDWR)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                os.close(fd)
                if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                    return False
                raise
        self._fd = fd
        with contextlib.suppress(OSError):  # a full disk is reported by the journal; the lock is held anyway
            os.ftruncate(fd, 0)
            os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        return True
