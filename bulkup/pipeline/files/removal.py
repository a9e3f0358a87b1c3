"""Removes uploaded files from their source, or moves them out of it, if they still are the files that were uploaded.

A path is looked up below its source without following a link. Size, times, inode and device are compared directly
before the removal. No system call compares and removes in one step, so a file that is replaced between the two calls,
within microseconds, is removed in place of the other.
"""

from __future__ import annotations

import contextlib
import enum
import errno
import os
import stat

from bulkup.model.files import FoundFile, Identity
from bulkup.pipeline.files.file_opener import FileOpener

_GONE = frozenset({errno.ENOENT, errno.ENOTDIR})
_RESERVE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_MOST_NUMBERS = 10_000  # of names that are tried


class Ending(enum.Enum):
    """The result for one file. A file that changed since its upload, or that has other hard links, is kept."""

    REMOVED = "removed"
    MOVED = "moved"
    KEPT = "kept"
    GONE = "gone"


class FileRemover:
    """Removes files, or moves them to the directory `move_to`. Used by one thread at a time; `close` ends it."""

    def __init__(self, move_to: bytes | None = None) -> None:
        self._move_to = move_to
        self._opener = FileOpener("skip")

    def close(self) -> None:
        """Close the descriptors of the sources."""
        self._opener.close()

    def remove(self, file: FoundFile) -> Ending:
        """Remove or move a file if its identity is that of `file`. Raises OSError if that fails."""
        folder, _, name = file.path.rpartition(b"/")
        try:
            at = self._opener.open_folder(file.source, folder)
        except OSError as error:
            if error.errno in _GONE:
                return Ending.GONE
            if error.errno == errno.ELOOP:
                return Ending.KEPT
            raise
        try:
            return self._remove(at, name, file)
        finally:
            os.close(at)

    def _remove(self, at: int, name: bytes, file: FoundFile) -> Ending:
        ending = _difference(at, name, file.identity)
        if ending is not None:
            return ending
        if self._move_to is None:
            os.unlink(name, dir_fd=at)
            return Ending.REMOVED
        target = _reserve(os.path.join(self._move_to, file.path))
        moved = False
        try:
            ending = _difference(at, name, file.identity)  # again, because making directories may take long
            if ending is None:
                os.rename(name, target, src_dir_fd=at)
                moved = True
            return ending or Ending.MOVED
        finally:
            if not moved:
                with contextlib.suppress(OSError):
                    os.unlink(target)


def _difference(at: int, name: bytes, identity: Identity) -> Ending | None:
    """Return None for the file with this identity and no other link, else why it stays."""
    try:
        status = os.stat(name, dir_fd=at, follow_symlinks=False)
    except FileNotFoundError:
        return Ending.GONE
    same = stat.S_ISREG(status.st_mode) and Identity.of(status) == identity and status.st_nlink == 1
    return None if same else Ending.KEPT


def _reserve(wanted: bytes) -> bytes:
    """Create an empty file in place of the one that will be moved there, and return its path.

    A rename replaces a file, so the name is reserved first. If it is taken, the name gets a number.
    """
    os.makedirs(os.path.dirname(wanted), exist_ok=True)
    for number in range(_MOST_NUMBERS):
        path = numbered(wanted, number)
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, _RESERVE, 0o600))
            return path
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), wanted)


def numbered(path: bytes, number: int) -> bytes:
    """Return the path with a number before its extension, unchanged for 0."""
    stem, extension = os.path.splitext(path)
    return path if number == 0 else b"%b.%d%b" % (stem, number, extension)


def may_be_removed(file: FoundFile) -> bool:
    """Return whether a file is as it was found, and has no other hard link. For a preview."""
    try:
        status = os.lstat(file.full_path)
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and Identity.of(status) == file.identity and status.st_nlink == 1
