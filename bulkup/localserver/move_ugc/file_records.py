"""The files of Move's API: records of created files, and their URLs (signature version 2)."""

from __future__ import annotations

import re
import uuid
from dataclasses import replace

from bulkup.helpers.quick_dataclass import dataclass
from bulkup.localserver.context import ServerContext
from bulkup.localserver.record_log import RecordLog
from bulkup.localserver.s3 import sigv2
from bulkup.localserver.signing_types import ServerOrigin
from bulkup.localserver.timestamps import rfc3339

BUCKET = "file-production-storage"

_INVALID_TYPE = re.compile(r"[/\x00-\x1f\x7f]")
_MAX_TYPE_LENGTH = 64  # bytes


class MoveError(Exception):
    """An error of the service. `error_type` is a field of the error in the answer, beside the message."""

    def __init__(self, error_type: str, message: str) -> None:
        super().__init__(message)
        self.error_type = error_type


@dataclass(frozen=True, slots=True)
class MoveFile:
    """A created file. `metadata` is JSON text. The SDK requires that neither it nor the name is null."""

    id: str
    type: str
    created: str
    metadata: str
    name: str

    @property
    def key(self) -> str:
        """The object's key: the id without `file-`, and the type as extension."""
        stem = self.id.removeprefix("file-")
        return f"{BUCKET}/{stem}.{self.type}" if self.type else f"{BUCKET}/{stem}"


class MoveFileRegistry:
    """Creates files, and keeps the newest of them. Methods that change a file raise OSError when the disk fails."""

    def __init__(self, context: ServerContext, log: RecordLog) -> None:
        self._context = context
        self._log = log

    def create(self, type_: str, name: str | None, metadata: str | None, now: float) -> MoveFile:
        """Return a new file. Raises MoveError for a type that cannot be an extension."""
        extension = type_.removeprefix(".")
        if len(extension.encode()) > _MAX_TYPE_LENGTH or _INVALID_TYPE.search(extension):
            raise MoveError("MoveValidationError", "The type is not a file extension.")
        file = MoveFile(f"file-{uuid.uuid4()}", extension, rfc3339(now), metadata or "{}", name or "")
        self._log.put(file.id, file)
        return file

    def get(self, file_id: str) -> MoveFile:
        """Return the file with that id. Raises MoveError if it is unknown or was dropped."""
        record = self._log.get(file_id)
        if record is None:
            raise MoveError("MoveNotFoundError", "Resource not found in move-ugc-api.")
        return MoveFile(**record)

    def update(self, file_id: str, name: str | None, metadata: str | None) -> MoveFile:
        """Change the given fields of a file and return it."""
        file = self.get(file_id)
        file = replace(file, name=file.name if name is None else name, metadata=metadata or file.metadata)
        self._log.put(file_id, file)
        return file

    def upload_url(self, file: MoveFile, origin: ServerOrigin, now: float) -> str:
        """Return the URL to PUT the file to."""
        return sigv2.presign("PUT", origin, file.key, self._context.key, now + self._context.url_ttl())

    def download_url(self, file: MoveFile, origin: ServerOrigin, now: float) -> str:
        """Return the URL to GET the file from."""
        return sigv2.presign("GET", origin, file.key, self._context.key, now + self._context.url_ttl())
