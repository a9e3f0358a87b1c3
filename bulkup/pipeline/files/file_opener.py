"""Opens the files of the sources so that no other file is opened in their place.

Files can be replaced between scan and reading, by users who may write to a source. So a path is looked up below an open
descriptor of its source's folder, and the setting `symlinks` holds for each of its parts. The opened file is then
compared with the identity that was found (`opening`).

- `skip`: no link is followed.
- `inside`: where a part is a link, the real path is looked up below the source without links.
- `follow`: links lead anywhere. Only the identity shows that another file is there now.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
import weakref
from collections.abc import Iterator

from bulkup.helpers.beneath import FOLDER, open_beneath, stat_beneath
from bulkup.helpers.real_paths import RealPaths
from bulkup.model.files import Identity, Source, lasting_stat_of, stat_of
from bulkup.pipeline.options import IdentityMode, Symlinks

_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | getattr(os, "O_LARGEFILE", 0)
_LIST = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_ROOTS = 8  # descriptors of sources that are kept; single files as sources may lie in thousands of folders
# A file system was mounted anew, or its process was restarted: the source has to be opened by its path again.
_DISCONNECTED = frozenset({errno.ESTALE, errno.ENOTCONN})


class FileOpener:
    """Opens files for one process. Owns a descriptor for each of the first sources until `close`.

    Its methods may be called in any thread. They raise OSError: ELOOP for a link that is not to be followed.
    """

    def __init__(self, symlinks: Symlinks = "skip", identity: IdentityMode = "default") -> None:
        self.trusts_inodes = identity != "size-mtime"
        self.stat_of = stat_of if self.trusts_inodes else lasting_stat_of
        self._symlinks = symlinks
        self._skips = symlinks == "skip"
        self._follows = symlinks == "follow"
        self._roots: dict[bytes, int] = {}
        self._opened: list[int] = []
        self._change = threading.Lock()
        self._real_paths = RealPaths()
        self._finalizer = weakref.finalize(self, _close_all, self._opened)

    def close(self) -> None:
        """Close the descriptors of the sources. No other thread may use this object meanwhile."""
        self._roots.clear()
        _close_all(self._opened)

    def identity_of(self, status: os.stat_result) -> Identity:
        """Return the identity of a stat result: the fields that the setting `identity` trusts."""
        return Identity.of_stat(self.stat_of(status))

    def open(self, source: Source, path: bytes) -> int:
        """Open a file for reading, without waiting for the other side of a pipe. Returns its descriptor."""
        root = self._roots.get(source.root)
        if root is not None and self._skips:  # nearly all files of nearly all runs
            try:
                return open_beneath(root, path, _READ)
            except OSError as error:
                if error.errno not in _DISCONNECTED:
                    raise
        return self._open(source, path, _READ)

    def open_folder(self, source: Source, path: bytes) -> int:
        """Open a folder to list it; the source itself has an empty path. Returns its descriptor."""
        return self._open(source, path or b".", _LIST)

    def status(self, source: Source, path: bytes) -> os.stat_result:
        """Return the `stat` of a path in a source."""
        with self._root(source.root) as root:
            try:
                return stat_beneath(root, path, follow=self._follows)
            except OSError as error:
                inside = self._inside(source.root, path, error)
            return stat_beneath(root, inside)

    def real_path(self, source: Source, path: bytes) -> bytes:
        """Return the real path of a path that the setting `symlinks` lets the walk reach."""
        if self._skips:  # then no part of it is a link
            return os.path.join(source.root, path)
        return self._real_paths.of(source.root, path)

    def _open(self, source: Source, path: bytes, flags: int) -> int:
        with self._root(source.root) as root:
            try:
                return open_beneath(root, path, flags, follow=self._follows)
            except OSError as error:
                inside = self._inside(source.root, path, error)
            return open_beneath(root, inside, flags)

    def _inside(self, root: bytes, path: bytes, error: OSError) -> bytes:
        """Return the path of a link's target in the source. Raises `error` for any other link, and other errors."""
        if error.errno == errno.ELOOP and self._symlinks == "inside":
            real = self._real_paths.of(root, path)
            if real == root:
                return b"."
            if real.startswith(os.path.join(root, b"")):
                return real[len(os.path.join(root, b"")) :]
        raise error

    @contextlib.contextmanager
    def _root(self, root: bytes) -> Iterator[int]:
        """Yield a descriptor of a source's folder."""
        kept = self._roots.get(root)
        if kept is not None and _is_connected(kept):
            yield kept
            return
        opened = _open_root(root)
        if not self._keep(root, kept, opened):
            try:
                yield opened
            finally:
                os.close(opened)
            return
        yield opened

    def _keep(self, root: bytes, before: int | None, opened: int) -> bool:
        """Keep a source's descriptor if there is room and no other thread was faster; return whether."""
        with self._change:
            if len(self._opened) >= _ROOTS or self._roots.get(root) != before:
                return False
            # The one before stays open: another thread may be using it.
            self._opened.append(opened)
            self._roots[root] = opened
            return True


def _open_root(root: bytes) -> int:
    """Open a source's folder by its real path, so no part of it may be a link."""
    top = os.open(b"/", FOLDER)
    try:
        return open_beneath(top, root.strip(b"/") or b".", FOLDER)
    finally:
        os.close(top)


def _is_connected(folder: int) -> bool:
    try:
        os.fstat(folder)
    except OSError:
        return False
    return True


def _close_all(descriptors: list[int]) -> None:
    while descriptors:
        os.close(descriptors.pop())
