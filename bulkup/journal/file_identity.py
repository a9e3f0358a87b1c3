"""Notices when the journal is taken away from under a run.

SQLite writes on into a file that has no name any more, and says nothing. All of it would be gone with the run's end.
"""

from __future__ import annotations

import os

from bulkup.errors import JournalError


class FileIdentityCheck:
    """Knows which files stood under the journal's names when it was made: the file itself and its write-ahead log."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._names = tuple(os.path.realpath(path) + end for end in ("", "-wal"))
        self._inodes = self._look()

    def check(self) -> None:
        """Raise `JournalError` when others stand there now, or none."""
        if self._look() != self._inodes:
            raise JournalError(
                f"the journal {self._path} was deleted, moved or replaced while the run was writing to it",
                hint="put it back where it was, or this run's files go up again; then run the same command again",
            )

    def _look(self) -> tuple[int | None, ...]:
        return tuple(map(_inode, self._names))


def _inode(path: str) -> int | None:
    try:
        return os.stat(path).st_ino
    except FileNotFoundError:
        return None
