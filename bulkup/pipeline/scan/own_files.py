"""The files of bulkup itself, which are never uploaded: journal, lock, store, unfinished output files.

They are recognised by device and inode, because links, hard links and mounts give them other paths. A file system that
shows the content of another one, such as overlayfs, keeps inodes and names, and has a device of its own.
"""

from __future__ import annotations

import contextlib
import functools
import glob
import os
import re
import stat
from collections.abc import Iterable, Iterator

from bulkup.journal import SIDE_FILES

_UNFINISHED = re.compile(rb"\.bulkup-[0-9a-f]{16}\.unfinished")  # of `cli.output_file`, beside the target
_STORE_FOLDERS = ("", "state", "state/incoming", "state/parts", "objects", "objects/*", "objects/*/*")
_MOST_FOLDERS = 10_000  # of the store; a store that only runs of `--provider local` use has 260

FilePlace = tuple[int, int]  # device and inode


class OwnFiles:
    """The files of a journal and a store, and everything in other `folders` of bulkup.

    Only a file has to be asked about that has one of the `inodes`, a name with `name_prefix`, or several names.
    """

    name_prefix = b".bulkup-"

    def __init__(self, journal: str | None = None, store: str | None = None, folders: Iterable[str] = ()) -> None:
        self._store = None if store is None else os.path.realpath(os.fsencode(store))
        self._files = frozenset(_places(_journal_files(journal))) if journal is not None else frozenset()
        self._folders = frozenset(_places([*folders, *_store_folders(store)]))
        self.inodes = frozenset(inode for _, inode in self._files)
        names = _journal_files(journal) if journal is not None else []
        self._names = frozenset(os.fsencode(os.path.basename(name)) for name in names)
        self.has_store = store is not None

    def has_file(self, name: bytes, status: os.stat_result) -> bool:
        """Return whether a file with this name and `stat` is one of them."""
        if not stat.S_ISREG(status.st_mode):
            return False
        place = status.st_dev, status.st_ino
        if place in self._files or _UNFINISHED.fullmatch(name):
            return True
        if status.st_ino in self.inodes and name in self._names:
            return True
        return self.has_store and status.st_nlink > 1 and place in self._linked_objects

    def has_folder(self, descriptor: int) -> bool:
        """Return whether an open folder is one of them."""
        if self._folders:
            with contextlib.suppress(OSError):
                found = os.fstat(descriptor)
                return (found.st_dev, found.st_ino) in self._folders
        return False

    def has_target(self, real: bytes) -> bool:
        """Return whether a link's real path lies in the store."""
        return self._store is not None and real.startswith(os.path.join(self._store, b""))

    @functools.cached_property
    def _linked_objects(self) -> frozenset[FilePlace]:
        """The objects of the store that have a second name. Found once, when the first file with two names is met."""
        return frozenset(_linked_files(os.path.join(self._store or b"", b"objects")))


def _journal_files(journal: str) -> list[str]:
    real = os.path.realpath(journal)
    copies = glob.glob(glob.escape(real) + ".damaged-*")
    return [real, *(real + end for end in SIDE_FILES), *copies]


def _store_folders(store: str | None) -> Iterator[str]:
    if store is None:
        return
    for count, path in enumerate(
        path for pattern in _STORE_FOLDERS for path in glob.iglob(os.path.join(glob.escape(store), pattern, ""))
    ):
        if count == _MOST_FOLDERS:
            return
        yield path


def _places(paths: Iterable[str]) -> Iterator[FilePlace]:
    for path in paths:
        with contextlib.suppress(OSError):
            found = os.stat(path)
            yield found.st_dev, found.st_ino


def _linked_files(folder: bytes) -> Iterator[FilePlace]:
    for above, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                found = os.lstat(os.path.join(above, name))
                if stat.S_ISREG(found.st_mode) and found.st_nlink > 1:
                    yield found.st_dev, found.st_ino


NO_OWN_FILES = OwnFiles()
