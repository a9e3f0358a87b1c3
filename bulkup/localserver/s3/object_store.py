"""Objects as plain files: written aside, moved into place whole."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import shutil
import stat

from bulkup.helpers.private_files import make_private_folder

READ_SIZE = 1 << 20


class ObjectStore:
    """`DIR/objects/`, which holds objects and nothing else, and `DIR/state/incoming/`, where they come in.

    Keys must have been through `keys.object_key`. All methods block, and raise OSError when the disk fails.
    """

    def __init__(self, objects: str, incoming: str) -> None:
        self._objects = objects
        self._incoming = incoming
        self._numbers = itertools.count()
        # What a server left here when it was killed is worth nothing: its clients never had an answer.
        shutil.rmtree(incoming, ignore_errors=True)
        os.makedirs(objects, exist_ok=True)
        make_private_folder(incoming)

    def receive(self) -> IncomingObject:
        """Open a new object on its way in."""
        return IncomingObject(os.path.join(self._incoming, f"{next(self._numbers):x}"))

    def publish(self, incoming: IncomingObject, key: str) -> None:
        """Make the whole object visible under its key, in place of what was there before."""
        path = self.path(key)
        try:
            incoming.move_to(path)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            incoming.move_to(path)

    def size(self, key: str) -> int | None:
        """Return the size of an object in bytes, None where there is none: a folder of objects is none."""
        try:
            found = os.stat(self.path(key))
        except (FileNotFoundError, NotADirectoryError):
            return None
        return found.st_size if stat.S_ISREG(found.st_mode) else None

    def remove(self, key: str) -> None:
        """Delete an object, if it is there."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path(key))

    def path(self, key: str) -> str:
        """Return where the object of that key is kept."""
        return os.path.join(self._objects, key)


class IncomingObject:
    """One object on its way in: bytes go to a file of its own and into an MD5."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._kept = False
        self.md5 = hashlib.md5(usedforsecurity=False)
        self._file = open(path, "xb", buffering=0)  # noqa: SIM115 - closed by discard()

    def write(self, block: bytes) -> None:
        """Add bytes at the end."""
        self.md5.update(block)
        rest = memoryview(block)
        while rest:
            rest = rest[self._file.write(rest) :]

    def move_to(self, path: str) -> None:
        """Put the file where it belongs."""
        os.replace(self._path, path)
        self._kept = True

    def discard(self) -> None:
        """Close the file, and delete it unless it was moved."""
        self._file.close()
        if not self._kept:
            os.unlink(self._path)
