"""Checksums of files on disk, compared with the recorded ones."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from bulkup.api.verify.disk_contents import compare_content
from bulkup.model.files import Digest, stat_of
from bulkup.model.verify_results import ContentState


def digest_of(data: bytes) -> Digest:
    return Digest(hashlib.md5(data, usedforsecurity=False).digest())


def test_content_is_compared_by_its_checksum(tmp_path: Path) -> None:
    """A file whose bytes changed while its times did not is what a failing disk leaves."""
    path = tmp_path / "d" / "a"
    path.parent.mkdir()
    path.write_bytes(b"some text")
    stat = stat_of(os.stat(path))
    root = os.fsencode(tmp_path)
    assert compare_content(root, b"d/a", stat, digest_of(b"some text")).state is ContentState.SAME
    sha = Digest(hashlib.sha256(b"some text").digest(), "sha256")
    assert compare_content(root, b"d/a", stat, sha).state is ContentState.SAME
    found = compare_content(root, b"d/a", stat, digest_of(b"other text"))
    assert found.state is ContentState.DIFFERENT
    assert digest_of(b"some text").text in found.reason
    assert compare_content(root, b"d/a", stat, None).state is ContentState.UNKNOWN


def test_a_file_that_cannot_be_read_or_changes(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"a")
    size, mtime, *rest = stat_of(os.stat(path))
    other = (size, mtime - 1, rest[0], rest[1], rest[2])
    changed = compare_content(os.fsencode(tmp_path), b"a", other, digest_of(b"a"))
    assert (changed.state, changed.reason) == (ContentState.UNREADABLE, "it changed while it was read")
    missing = compare_content(os.fsencode(tmp_path), b"b", other, digest_of(b"a"))
    assert (missing.state, missing.reason) == (ContentState.UNREADABLE, "No such file or directory")
