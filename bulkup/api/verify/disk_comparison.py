"""Compares rows with the files on disk by their `stat`.

The rows come ordered by path, so those of a folder are neighbours: the folder is opened once, and its files are looked
up by their names in it. Compared with paths from the root, that takes half the time.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from bulkup.helpers.beneath import FOLDER, open_beneath
from bulkup.journal.upload_rows import PATH, STAT, UploadRow, stat_in
from bulkup.model.disk_states import DiskState, compared
from bulkup.model.files import stat_of

_MOST_OPEN = 32  # folders, so that those around a deep one stay open
_MISSING = (FileNotFoundError, NotADirectoryError)
_Key = tuple[Any, bytes]  # a source and a folder in it
_Folder = tuple[int, OSError | None]  # its descriptor, and why it cannot be opened
_CLOSED = -1  # a descriptor with which every call fails


class Differing(NamedTuple):
    """A row whose file is not exactly as it was recorded: its number in the page, and how the file differs."""

    number: int
    state: DiskState
    reason: str = ""


class DiskComparison:
    """Compares pages of rows. `roots` are the directories of the sources, by what the rows name them.

    Owns descriptors of folders until `close`. Used by one thread at a time.
    """

    def __init__(self, roots: Mapping[Any, bytes]) -> None:
        self._roots = roots
        self._open: dict[_Key, _Folder] = {}

    def close(self) -> None:
        """Close all folders."""
        for found in self._open.values():
            _close(found)
        self._open.clear()

    def compare(self, source: Any, rows: Sequence[UploadRow]) -> list[Differing]:
        """Return the rows of one source whose files differ. All others agree in size, times, inode and device."""
        differing, lstat, recorded, present = list[Differing](), os.lstat, STAT, stat_of
        here, folder, failure = None, _CLOSED, None
        for number, row in enumerate(rows):  # every file passes here: keep it fast
            path: bytes = row[PATH]
            cut = path.rfind(b"/")
            above = path[:cut] if cut > 0 else b""
            if above != here:
                here, (folder, failure) = above, self._folder((source, above))
            try:
                status = lstat(path[cut + 1 :], dir_fd=folder)
            except OSError as error:
                differing.append(_missing(number, failure or error))
                continue
            if present(status) != row[recorded]:
                other = _compared(number, row, status, folder, path[cut + 1 :])
                differing += [] if other is None else [other]
        return differing

    def _folder(self, key: _Key) -> _Folder:
        """Return the descriptor of a folder, or the error that prevents opening it."""
        found = self._open.pop(key, None)
        if found is None:
            source, path = key
            try:
                found = self._opened(source, path), None
            except OSError as error:
                found = _CLOSED, error
            if len(self._open) >= _MOST_OPEN:
                _close(self._open.pop(next(iter(self._open))))
        self._open[key] = found  # the one used last comes last
        return found

    def _opened(self, source: Any, path: bytes) -> int:
        root = os.open(self._roots[source], FOLDER)
        if not path:
            return root
        try:
            return open_beneath(root, path, FOLDER, follow=True)  # `symlinks` may have led the walk through links
        finally:
            os.close(root)


def _compared(number: int, row: UploadRow, status: os.stat_result, folder: int, name: bytes) -> Differing | None:
    """Compare a file with a row whose numbers differ, or need to be converted. Return None if they agree."""
    if stat.S_ISLNK(status.st_mode):
        try:
            status = os.stat(name, dir_fd=folder)
        except OSError as error:
            return _missing(number, error)
    if not stat.S_ISREG(status.st_mode):
        return Differing(number, DiskState.CHANGED, "it is no regular file any more")
    recorded, present = stat_in(row), stat_of(status)
    state = compared(recorded, present)
    if state is DiskState.SAME:
        return None
    if state is DiskState.METADATA:
        return Differing(number, state)
    if recorded[0] != present[0]:
        return Differing(number, state, f"its size was {recorded[0]:,} bytes and is {present[0]:,}")
    return Differing(number, state, "it was modified since the upload")


def _missing(number: int, error: OSError) -> Differing:
    if isinstance(error, _MISSING):
        return Differing(number, DiskState.DELETED, "it is not on disk any more")
    return Differing(number, DiskState.UNREADABLE, error.strerror or type(error).__name__)


def _close(folder: _Folder) -> None:
    if folder[0] != _CLOSED:
        os.close(folder[0])
