"""Detects that the journal's file was deleted, moved or replaced during a run.

SQLite reports no error when it writes to a file without a name. All its rows would be lost at the end of the run.
"""

from __future__ import annotations

import os

from bulkup.errors import JournalError


class FileIdentityCheck:
    """Remembers the inodes of the journal's file and its write-ahead log at the start."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._names = tuple(os.path.realpath(path) + end for end in ("", "-wal"))
        self._inodes = self._current()

    def check(self) -> None:
        """Raise `JournalError` if the names now belong to other files or to none."""
        if self._current() != self._inodes:
            raise JournalError(
                f"the journal {self._path} was deleted, moved or replaced while the run was writing to it",
                hint="put it back, then run the same command again; without it, this run's files are uploaded again",
            )

    def _current(self) -> tuple[int | None, ...]:
        return tuple(map(_inode, self._names))


def _inode(path: str) -> int | None:
    try:
        return os.stat(path).st_ino
    except FileNotFoundError:
        return None
