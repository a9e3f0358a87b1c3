"""The stored bytes of MetaStudio's files: objects, and parts that are not joined yet."""

from __future__ import annotations

from bulkup.localserver.metastudio.file_records import MetaStudioFile
from bulkup.localserver.metastudio.upload_urls import file_object_key
from bulkup.localserver.s3.object_store import ObjectStore
from bulkup.localserver.s3.part_store import PartStore


class FileStorage:
    """The stored bytes of files. All methods block, and raise OSError when the disk fails."""

    def __init__(self, objects: ObjectStore, parts: PartStore) -> None:
        self._objects = objects
        self._parts = parts

    def begin(self, file_id: str) -> None:
        """Prepare the storage for the parts of a file."""
        self._parts.begin(file_id)

    def size(self, file_id: str, file: MetaStudioFile) -> int | None:
        """Return the stored size of a file in bytes, None if it or one of its parts is missing."""
        if not file.parts:
            return self._objects.size(_key(file_id, file))
        try:
            return sum(self._parts.sizes(file_id, file.parts))
        except FileNotFoundError:
            return None

    def join(self, file_id: str, file: MetaStudioFile) -> None:
        """Join the parts of a file to its object, and delete the parts."""
        incoming = self._objects.receive()
        try:
            self._parts.join(file_id, file.parts, incoming)
            self._objects.publish(incoming, _key(file_id, file))
        finally:
            incoming.discard()
        self._parts.drop(file_id)

    def discard(self, file_id: str, file: MetaStudioFile) -> None:
        """Delete the object and the parts of a file."""
        self._objects.remove(_key(file_id, file))
        self._parts.drop(file_id)


def _key(file_id: str, file: MetaStudioFile) -> str:
    return file_object_key(file_id, file.asset, file.extension)
