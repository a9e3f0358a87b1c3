"""Reads files on disk and compares their checksums with the recorded ones."""

from __future__ import annotations

import os
from typing import NamedTuple

from bulkup.helpers.beneath import FOLDER, open_beneath
from bulkup.model.files import Algorithm, Digest, Stat, stat_of
from bulkup.model.verify_results import ContentState
from bulkup.pipeline.files.hashing import RunningDigests

_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
_CHUNK = 1024**2


class ReadContent(NamedTuple):
    """The result for one file."""

    state: ContentState
    reason: str = ""


def compare_content(root: bytes, path: bytes, recorded: Stat, digest: Digest | None) -> ReadContent:
    """Return whether a file has the recorded checksum. It blocks."""
    if digest is None:
        return ReadContent(ContentState.UNKNOWN, "no checksum was recorded")
    try:
        found = digest_of_file(root, path, recorded, digest.algorithm)
    except OSError as error:
        return ReadContent(ContentState.UNREADABLE, error.strerror or type(error).__name__)
    if found is None:
        return ReadContent(ContentState.UNREADABLE, "it changed while it was read")
    if found != digest:
        return ReadContent(ContentState.DIFFERENT, f"its content has the checksum {found.text}, not {digest.text}")
    return ReadContent(ContentState.SAME)


def digest_of_file(root: bytes, path: bytes, recorded: Stat, algorithm: Algorithm) -> Digest | None:
    """Return the digest of a file, None if its size or modification time are not, or do not stay, as recorded.

    Raises OSError.
    """
    running = RunningDigests((algorithm,))
    folder = os.open(root, FOLDER)
    try:
        descriptor = open_beneath(folder, path, _READ, follow=True)
    finally:
        os.close(folder)
    with open(descriptor, "rb", buffering=0) as file:
        while chunk := file.read(_CHUNK):
            running.update(chunk)
        if stat_of(os.fstat(file.fileno()))[:2] != recorded[:2]:
            return None
    (digest,) = running.digests()
    return digest
