"""Objects as plain files. Each is written to a temporary file, then moved to its place."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import shutil
import stat

from bulkup.helpers.private_files import make_private_folder
from bulkup.localserver.s3.s3_documents import ListedObject

READ_SIZE = 1 << 20


class ObjectStore:
    """`DIR/objects/`, which contains only objects, and `DIR/state/incoming/`, which contains unfinished ones.

    Keys must come from `object_keys.object_key`. All methods block, and raise OSError when the disk fails.
    """

    def __init__(self, objects: str, incoming: str) -> None:
        self._objects = objects
        self._incoming = incoming
        self._numbers = itertools.count()
        self._etags: dict[str, str] = {}  # of objects made of parts
        # Left by a server that was killed. Its clients got no answer for these objects, so they are deleted.
        shutil.rmtree(incoming, ignore_errors=True)
        os.makedirs(objects, exist_ok=True)
        make_private_folder(incoming)

    def receive(self) -> IncomingObject:
        """Open a new, unfinished object."""
        return IncomingObject(os.path.join(self._incoming, f"{next(self._numbers):x}"))

    def publish(self, incoming: IncomingObject, key: str, etag: str | None = None) -> None:
        """Move a finished object to its key. Replaces an earlier object.

        `etag` is that of an object made of parts. It is known until the server ends.
        """
        path = self.path(key)
        self._etags.pop(path, None)
        if etag is not None:
            self._etags[path] = etag
        try:
            incoming.move_to(path)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            incoming.move_to(path)

    def size(self, key: str) -> int | None:
        """Return the size of an object in bytes, None if there is no object of that key."""
        try:
            found = os.stat(self.path(key))
        except (FileNotFoundError, NotADirectoryError):
            return None
        return found.st_size if stat.S_ISREG(found.st_mode) else None

    def remove(self, key: str) -> None:
        """Delete an object if it exists."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path(key))

    def list(self, bucket: str, prefix: str, after: str, most: int) -> list[ListedObject]:
        """Return the objects of a bucket whose keys begin with `prefix` and follow `after`, at most `most`.

        The ETag is the MD5 of the bytes on disk.
        """
        top = os.path.join(self._objects, bucket)
        paths = (os.path.join(folder, name) for folder, _, names in os.walk(top) for name in names)
        keys = sorted((os.path.relpath(path, top) for path in paths), key=os.fsencode)
        found = [key for key in keys if key.startswith(prefix) and os.fsencode(key) > os.fsencode(after)]
        return [self._listed(key, os.path.join(top, key)) for key in found[:most]]

    def _listed(self, key: str, path: str) -> ListedObject:
        with open(path, "rb") as file:
            etag = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
            status = os.stat(file.fileno())
        return ListedObject(key, status.st_size, self._etags.get(path, etag), status.st_mtime)

    def etag_of_parts(self, key: str) -> str | None:
        """Return the ETag of an object made of parts, None for another object."""
        return self._etags.get(self.path(key))

    def path(self, key: str) -> str:
        """Return the path of the object with that key."""
        return os.path.join(self._objects, key)


class IncomingObject:
    """An unfinished object: its bytes go to a temporary file and into an MD5."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._moved = False
        self.md5 = hashlib.md5(usedforsecurity=False)
        self._file = open(path, "xb", buffering=0)  # noqa: SIM115 - closed by discard()

    def write(self, block: bytes) -> None:
        """Append bytes."""
        self.md5.update(block)
        rest = memoryview(block)
        while rest:
            rest = rest[self._file.write(rest) :]

    def move_to(self, path: str) -> None:
        """Move the file to its final path."""
        os.replace(self._path, path)
        self._moved = True

    def discard(self) -> None:
        """Close the file, and delete it unless it was moved."""
        self._file.close()
        if not self._moved:
            os.unlink(self._path)
