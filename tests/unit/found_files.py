"""Files on disk in the form that the scanner finds them, for tests of reading and sending."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from bulkup.model.files import Digest, FoundFile, Identity, Source


def found(path: Path, content: bytes | None = None) -> FoundFile:
    """Return a file with its current identity; write it first if there is a content."""
    if content is not None:
        path.write_bytes(content)
    return FoundFile(Source(os.fsencode(path.parent)), os.fsencode(path.name), Identity.of(path.stat()))


def md5_of(data: bytes) -> Digest:
    return Digest(hashlib.md5(data, usedforsecurity=False).digest())
