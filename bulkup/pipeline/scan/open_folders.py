"""The folders on the current path of a walk, with a bounded number of descriptors.

A folder has a descriptor, to examine its entries by their names. In a deep tree the outermost folders are closed. Each
is opened again when the walk returns to it, and must then be the same folder.
"""

from __future__ import annotations

import errno
import functools
import itertools
import operator
import os
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from bulkup.helpers.quick_dataclass import dataclass

if TYPE_CHECKING:
    from os import _ScandirIterator as ScandirIterator

_name = operator.attrgetter("name")
# `scandir` of a descriptor returns texts. This is `os.fsencode` without its checks, because each file passes here.
_encoded = operator.methodcaller("encode", sys.getfilesystemencoding(), sys.getfilesystemencodeerrors())


@dataclass(frozen=True, slots=True)
class FolderOptions:
    """`most_open` bounds the descriptors of folders, `most_listings` those of listings that stay open.

    The names of a folder with fewer than `most_sorted` entries are sorted, like their rows in the journal. They are
    read at once. A larger folder is read in its own order, and its listing stays open.
    """

    most_open: int = 16
    most_listings: int = 8
    most_sorted: int = 10_000


DEFAULT_OPTIONS = FolderOptions()


@dataclass(slots=True, eq=False)
class OpenFolder:
    """A folder on the current path.

    `prefix` begins the paths of its entries, `names` are the remaining ones, and `place` is its device and inode. The
    descriptor is None while the folder is closed, the listing once it was read to its end.
    """

    prefix: bytes
    place: tuple[int, int]
    descriptor: int | None
    names: Iterator[bytes]
    listing: ScandirIterator[str] | None

    def read_ahead(self) -> None:
        """Read the remaining names into memory, and close the listing."""
        self.names = _names_then_error(*_read(self.names))
        self._close_listing()

    def suspend(self) -> None:
        """Close the descriptor; the names remain."""
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None

    def close(self) -> None:
        """Close everything."""
        self.suspend()
        self._close_listing()

    def _close_listing(self) -> None:
        if self.listing is not None:
            self.listing.close()
            self.listing = None


class OpenFolders:
    """A stack of folders, from the source to the one that is being read. Owns their descriptors until `close`.

    `reopen` opens a folder by its path in the source. Where inodes are not stable, `same_inode` is False, and a folder
    that was closed may have another inode. Entries for which `leaves_out` returns True are not listed; it receives the
    prefix of the folder and the entry.
    """

    def __init__(
        self,
        reopen: Callable[[bytes], int],
        *,
        same_inode: bool = True,
        options: FolderOptions = DEFAULT_OPTIONS,
        leaves_out: Callable[[bytes, os.DirEntry[str]], bool] | None = None,
    ) -> None:
        self._reopen = reopen
        self._same_inode = same_inode
        self._options = options
        self._leaves_out = leaves_out
        self._folders: list[OpenFolder] = []
        self._suspended = 0  # the number of outermost folders that are closed
        self._places: set[tuple[int, int]] = set()

    def __bool__(self) -> bool:
        return bool(self._folders)

    @property
    def innermost(self) -> OpenFolder:
        """The folder that is being read."""
        return self._folders[-1]

    def enter(self, path: bytes, descriptor: int) -> bool:
        """Begin to read a folder; return False if it is one of those on the path already.

        The descriptor is closed in any case but success. Raises OSError.
        """
        try:
            place = _place(descriptor)
            if place in self._places:
                os.close(descriptor)
                return False
            folder = self._listed(os.path.join(path, b"") if path else b"", place, descriptor)
        except OSError:
            os.close(descriptor)
            raise
        self._folders.append(folder)
        self._places.add(place)
        self._keep_bounds()
        return True

    def leave(self) -> None:
        """Close the innermost folder."""
        folder = self._folders.pop()
        self._places.discard(folder.place)
        self._suspended = min(self._suspended, len(self._folders))
        folder.close()

    def descriptor(self) -> int:
        """Return the descriptor of the innermost folder, opened again if necessary. Raises OSError."""
        folder = self.innermost
        if folder.descriptor is None:
            descriptor = self._reopen(folder.prefix.rstrip(b"/"))
            try:
                self._check_place(folder, descriptor)
            except OSError:
                os.close(descriptor)
                raise
            folder.descriptor = descriptor
            self._suspended = len(self._folders) - 1
        return folder.descriptor

    def close(self) -> None:
        """Close all folders."""
        while self._folders:
            self.leave()

    def _check_place(self, folder: OpenFolder, descriptor: int) -> None:
        place = _place(descriptor)
        if place != folder.place and (self._same_inode or place[0] != folder.place[0]):
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))  # another folder has its name now

    def _listed(self, prefix: bytes, place: tuple[int, int], descriptor: int) -> OpenFolder:
        listing = os.scandir(descriptor)
        entries: Iterator[os.DirEntry[str]] = listing
        if self._leaves_out is not None:
            entries = itertools.filterfalse(functools.partial(self._leaves_out, prefix), listing)
        names, error = _read(map(_encoded, map(_name, itertools.islice(entries, self._options.most_sorted))))
        if len(names) < self._options.most_sorted:
            listing.close()
            names.sort()
            return OpenFolder(prefix, place, descriptor, _names_then_error(names, error), None)
        rest = map(_encoded, map(_name, entries))
        return OpenFolder(prefix, place, descriptor, itertools.chain(names, rest), listing)

    def _keep_bounds(self) -> None:
        while len(self._folders) - self._suspended > self._options.most_open:
            self._folders[self._suspended].suspend()
            self._suspended += 1
        if self.innermost.listing is not None:
            listed = [folder for folder in self._folders if folder.listing is not None]
            for folder in listed[: -self._options.most_listings]:
                folder.read_ahead()


def _place(descriptor: int) -> tuple[int, int]:
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino


def _read(names: Iterator[bytes]) -> tuple[list[bytes], OSError | None]:
    """Return the names, and the error that ended them, if any."""
    read = list[bytes]()
    try:
        read.extend(names)  # keeps the names before an error
    except OSError as error:
        return read, error
    return read, None


def _names_then_error(names: list[bytes], error: OSError | None) -> Iterator[bytes]:
    """Yield names. Raises OSError after the last one."""
    yield from names
    if error is not None:
        raise error
