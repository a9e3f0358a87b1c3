"""One run at a time on a journal: `flock` on a file beside it, which dies with the process."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

from bulkup.errors import JournalLockedError
from bulkup.helpers.private_files import make_private_folder, open_private
from bulkup.journal.database import sqlite_errors

_POLL_SECONDS = 0.5
# A reader that looks whether a run is on holds a shared lock for microseconds; it must not turn a run away.
_PROBES = 3
_PROBE_SECONDS = 0.02


class Lock:
    """Held from `acquire` to `release`. The file is left where it is: removing it would let two runs hold one each."""

    def __init__(self, journal: str) -> None:
        self.path = os.path.realpath(journal) + ".lock"  # through a link it is the same journal
        self._fd: int | None = None

    async def acquire(self, *, wait: bool, sleep: Callable[[float], Awaitable[None]]) -> None:
        """Take the lock. Raises `JournalLockedError` at once when another run holds it, unless `wait`."""
        tries = 0
        while not self._try():
            tries += 1
            if tries == _PROBES and not wait:
                raise JournalLockedError(
                    f"another run holds the journal (process {self.holder() or 'unknown'})",
                    hint="let it end, or start this one with --wait",
                )
            await sleep(_PROBE_SECONDS if tries < _PROBES else _POLL_SECONDS)

    def release(self) -> None:
        """Let the next run in."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def holder(self) -> str:
        """Return the process number that the last holder wrote; empty when unreadable."""
        try:
            with open(self.path, encoding="ascii") as file:
                return file.read(20).strip()
        except (OSError, ValueError):
            return ""

    def is_held(self) -> bool:
        """Say whether a run holds the lock now, without taking it from anybody."""
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
        with contextlib.suppress(OSError):  # a full disk is for the journal to tell: the lock is held all the same
            os.ftruncate(fd, 0)
            os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        return True
