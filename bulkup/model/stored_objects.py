"""An upload by the record in the journal, and by the record at the service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from bulkup.model.files import Digest


class Upload(NamedTuple):
    """An upload that a run has recorded, for `Provider.stored`.

    `size` is in bytes. `digest` is None if nothing was hashed, `remote` the service's answer about the file. `etag` is
    that of storage's answer to the bytes. `kept_until` is when the service deletes it (Unix time).
    """

    remote_id: str
    size: int
    digest: Digest | None
    remote: Mapping[str, Any]
    etag: str | None = None
    kept_until: float | None = None


class StoredObject(NamedTuple):
    """The service's record of an upload that it has. None stands for a value that it does not tell."""

    size: int | None = None
    digest: Digest | None = None
    etag: str | None = None
