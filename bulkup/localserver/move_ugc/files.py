"""The files of Move's API: records of those created, and their URLs (signature version 2)."""

from __future__ import annotations

import re
import uuid
from collections import OrderedDict
from dataclasses import dataclass, replace

from bulkup.localserver.context import ServerContext
from bulkup.localserver.s3 import sigv2
from bulkup.localserver.s3.signing_types import ServerOrigin
from bulkup.localserver.timestamps import rfc3339

BUCKET = "file-production-storage"
REMEMBERED = 100_000  # newest files that getFile still finds; a server may hand out millions

_UNFIT_TYPE = re.compile(r"[/\x00-\x1f\x7f]")
_LONGEST_TYPE = 64  # bytes


class MoveError(Exception):
    """An error of the service; `error_type` stands beside the message in the answer."""

    def __init__(self, error_type: str, message: str) -> None:
        super().__init__(message)
        self.error_type = error_type


@dataclass(frozen=True, slots=True)
class MoveFile:
    """One created file. Metadata is a string holding JSON; neither it nor the name is null, as the SDK needs it."""

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
    """Creates files and finds the newest of them again."""

    def __init__(self, context: ServerContext) -> None:
        self._context = context
        self._files: OrderedDict[str, MoveFile] = OrderedDict()

    def create(self, type_: str, name: str | None, metadata: str | None, now: float) -> MoveFile:
        """Return a new file. Raises MoveError for a type that cannot be an extension."""
        extension = type_.removeprefix(".")
        if len(extension.encode()) > _LONGEST_TYPE or _UNFIT_TYPE.search(extension):
            raise MoveError("MoveValidationError", "The type is not a file extension.")
        file = MoveFile(f"file-{uuid.uuid4()}", extension, rfc3339(now), metadata or "{}", name or "")
        self._files[file.id] = file
        if len(self._files) > REMEMBERED:
            self._files.popitem(last=False)
        return file

    def get(self, file_id: str) -> MoveFile:
        """Return a file by its id. Raises MoveError for one that is not known, or too long ago."""
        try:
            return self._files[file_id]
        except KeyError:
            raise MoveError("MoveNotFoundError", "Resource not found in move-ugc-api.") from None

    def update(self, file_id: str, name: str | None, metadata: str | None) -> MoveFile:
        """Replace what is given and return the file."""
        file = self.get(file_id)
        file = replace(file, name=file.name if name is None else name, metadata=metadata or file.metadata)
        self._files[file_id] = file
        return file

    def upload_url(self, file: MoveFile, origin: ServerOrigin, now: float) -> str:
        """Return where to PUT the file."""
        return sigv2.presign("PUT", origin, file.key, self._context.key, now + self._context.ttl)

    def download_url(self, file: MoveFile, origin: ServerOrigin, now: float) -> str:
        """Return where to GET the file."""
        return sigv2.presign("GET", origin, file.key, self._context.key, now + self._context.ttl)
