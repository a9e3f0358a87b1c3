"""Detects that the journal's file, its log or its lock was deleted, moved or replaced during a run.

SQLite reports no error when it writes to a file without a name. All its rows would be lost at the end of the run.
Without its lock, another run could begin.
"""

from __future__ import annotations

import os

from bulkup.errors import JournalError


class FileIdentityCheck:
    """Remembers the inodes of the journal's file, its write-ahead log and its lock at the start."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._names = tuple(os.path.realpath(path) + end for end in ("", "-wal", ".lock"))
        self._inodes = self._current()

    def check(self) -> None:
        """Raise `JournalError` if the names now belong to other files or to none."""
        now = self._current()
        if now[:-1] != self._inodes[:-1]:
            raise JournalError(
                f"the journal {self._path} was deleted, moved or replaced while the run was writing to it",
                hint="put it back, then run the same command again; without it, this run's files are uploaded again",
            )
        if now != self._inodes:
            raise JournalError(
                f"the lock {self._names[-1]} was deleted or replaced during the run",
                hint="nothing is lost; exclude the lock from what removed it, and run the same command again",
            )

    def _current(self) -> tuple[tuple[int, int] | None, ...]:
        return tuple(map(_inode, self._names))


def _inode(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
