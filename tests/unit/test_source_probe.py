"""A file as two machines see it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bulkup.cluster.source_probe import Seen, difference, look_at
from bulkup.model.files import Identity

HERE = Seen("", Identity(5, 10, 11, 12, 13), b"digest")


def test_the_first_bytes_of_a_file_are_examined(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"0123456789")
    seen = look_at(os.fsencode(tmp_path), b"a", 4)
    assert seen.identity is not None
    assert seen.identity.size == 10
    (tmp_path / "b").write_bytes(b"0123......")
    assert look_at(os.fsencode(tmp_path), b"b", 4).digest == seen.digest
    assert look_at(os.fsencode(tmp_path), b"b", 10).digest != seen.digest


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    assert look_at(os.fsencode(gone), b"a", 4).error.startswith(f"the source {gone} cannot be used there: No such file")
    assert look_at(os.fsencode(tmp_path), b"a", 4).error.startswith(f"{tmp_path}/a cannot be read there: No such file")


@pytest.mark.parametrize(
    ("field", "text"), [("size", "another size"), ("mtime_ns", "another modification time"), ("inode", "another inode")]
)
def test_another_version_of_a_file_is_found(field: str, text: str) -> None:
    assert HERE.identity is not None
    other = HERE._replace(identity=HERE.identity._replace(**{field: 99}))
    assert text in (difference(b"a", HERE, other, "default") or "")


def test_devices_and_change_times_may_differ() -> None:
    assert HERE.identity is not None
    other = HERE._replace(identity=HERE.identity._replace(device=99, ctime_ns=99))
    assert difference(b"a", HERE, other, "default") is None
    unstable = HERE._replace(identity=HERE.identity._replace(inode=99))
    assert difference(b"a", HERE, unstable, "size-mtime") is None


def test_other_content_and_errors_are_found() -> None:
    assert difference(b"a", HERE, HERE._replace(digest=b"x"), "default") == "a has other content there"
    assert difference(b"a", HERE, Seen("it is gone"), "default") == "it is gone"
