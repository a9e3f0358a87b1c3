"""Whether a worker has the same source: a real file is examined on both machines, and the results are compared.

A path can exist on a worker and be another tree: a mount of yesterday's snapshot, or an empty mount point.
"""

from __future__ import annotations

import hashlib
import os
from typing import NamedTuple

from bulkup.helpers.utf8_mode import path_text
from bulkup.model.files import Identity, stat_of
from bulkup.pipeline.options import IdentityMode


class Seen(NamedTuple):
    """A file as one machine sees it: an error, or its identity and the digest of its first bytes."""

    error: str
    identity: Identity | None = None
    digest: bytes = b""


def look_at(root: bytes, path: bytes, count: int) -> Seen:
    """Examine the first `count` bytes of a file of a source. It blocks."""
    try:
        os.stat(root)
    except OSError as error:
        return Seen(f"the source {path_text(root)} cannot be used there: {error.strerror}")
    full = os.path.join(root, path)
    try:
        with open(full, "rb") as file:
            identity = Identity.of_stat(stat_of(os.fstat(file.fileno())))
            digest = hashlib.sha256(file.read(count)).digest()
    except OSError as error:
        return Seen(f"{path_text(full)} cannot be read there: {error.strerror}")
    return Seen("", identity, digest)


def difference(path: bytes, ours: Seen, theirs: Seen, mode: IdentityMode) -> str | None:
    """Return in words why a worker's file is not ours, None if it is. Numbers of devices may differ. Pure."""
    if theirs.error:
        return theirs.error
    assert ours.identity is not None
    assert theirs.identity is not None
    here, there = ours.identity, theirs.identity
    names = {"size": "size", "mtime_ns": "modification time", "inode": "inode"}
    if mode == "size-mtime":
        del names["inode"]
    for field, name in names.items():
        if getattr(here, field) != getattr(there, field):
            return f"{path_text(path)} has another {name} there"
    return None if ours.digest == theirs.digest else f"{path_text(path)} has other content there"
