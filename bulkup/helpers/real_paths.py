"""The real paths of files and folders below a root, without a look at each folder of every path.

`os.path.realpath` examines all parts of a path. In a tree of a thousand nested folders that takes minutes.
"""

from __future__ import annotations

import os
import threading

_MOST = 256  # folders whose real paths are kept: those on the way to the last ones that were asked for


class RealPaths:
    """Finds real paths, and keeps those of the last folders. Its method may be called in any thread.

    A folder that was a link and leads elsewhere later may be answered with its former target.
    """

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._folders: dict[tuple[bytes, bytes], bytes] = {}
        self._change = threading.Lock()

    def of(self, root: bytes, path: bytes) -> bytes:
        """Return the real path of a path below `root`, which is a real path itself."""
        folder, _, name = path.rpartition(b"/")
        return _below(self._of_folder(root, folder), name)

    def _of_folder(self, root: bytes, path: bytes) -> bytes:
        real, missing = root, list[bytes]()
        while path:
            known = self._folders.get((root, path))
            if known is not None:
                real = known
                break
            missing.append(path)
            path = path.rpartition(b"/")[0]
        for folder in reversed(missing):
            real = _below(real, folder.rpartition(b"/")[2])
            self._keep((root, folder), real)
        return real

    def _keep(self, folder: tuple[bytes, bytes], real: bytes) -> None:
        with self._change:
            self._folders[folder] = real
            if len(self._folders) > self._most:
                del self._folders[next(iter(self._folders))]


def _below(folder: bytes, name: bytes) -> bytes:
    path = os.path.join(folder, name)
    return os.path.realpath(path) if name in (b"", b".", b"..") or os.path.islink(path) else path
