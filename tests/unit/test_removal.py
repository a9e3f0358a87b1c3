"""A file is removed or moved only if it is the file that was uploaded."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bulkup.model.files import FoundFile, Identity, Source
from bulkup.pipeline.files.removal import Ending, FileRemover, may_be_removed, numbered


class Spool:
    """A source with one file in a folder, and a directory to move it to."""

    def __init__(self, root: Path) -> None:
        self.root, self.target = root / "source", root / "done"
        self.path = self.root / "sub" / "a.tar.gz"
        self.path.parent.mkdir(parents=True)
        self.target.mkdir()
        self.path.write_bytes(b"content")
        self.file = self.found()

    def found(self) -> FoundFile:
        return FoundFile(Source(os.fsencode(self.root)), b"sub/a.tar.gz", Identity.of(self.path.lstat()))

    def remove(self, *, move: bool) -> Ending:
        remover = FileRemover(os.fsencode(self.target) if move else None)
        try:
            return remover.remove(self.file)
        finally:
            remover.close()

    def moved(self) -> dict[str, bytes]:
        return {str(path.relative_to(self.target)): path.read_bytes() for path in self.target.rglob("*.*")}


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path)


def test_the_uploaded_file_is_removed_and_its_folder_stays(spool: Spool) -> None:
    assert may_be_removed(spool.file)
    assert spool.remove(move=False) is Ending.REMOVED
    assert list(spool.root.rglob("*")) == [spool.path.parent]


def test_a_moved_file_keeps_its_path(spool: Spool) -> None:
    assert spool.remove(move=True) is Ending.MOVED
    assert not spool.path.exists()
    assert spool.moved() == {"sub/a.tar.gz": b"content"}


def test_no_file_is_overwritten(spool: Spool) -> None:
    for content in (b"first", b"second", b"third"):
        spool.path.write_bytes(content)
        spool.file = spool.found()
        assert spool.remove(move=True) is Ending.MOVED
    assert spool.moved() == {"sub/a.tar.gz": b"first", "sub/a.tar.1.gz": b"second", "sub/a.tar.2.gz": b"third"}


def grow(spool: Spool) -> None:
    spool.path.write_bytes(b"longer content")


def replace(spool: Spool) -> None:
    """Put another file of the same size and time in its place."""
    before = spool.path.stat()
    other = spool.root / "other"
    other.write_bytes(b"CONTENT")
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.rename(spool.path)


def change_mode(spool: Spool) -> None:
    spool.path.chmod(0o640)


def link(spool: Spool) -> None:
    os.link(spool.path, spool.root / "other")
    spool.file = spool.found()


def become_a_link(spool: Spool) -> None:
    spool.path.rename(spool.root / "elsewhere")
    spool.path.symlink_to(spool.root / "elsewhere")


def move_below_a_link(spool: Spool) -> None:
    """The same file is reached by the same path, but through a link."""
    spool.path.parent.rename(spool.root / "elsewhere")
    (spool.root / "sub").symlink_to(spool.root / "elsewhere")


@pytest.mark.parametrize("move", [False, True])
@pytest.mark.parametrize("change", [grow, replace, change_mode, link, become_a_link, move_below_a_link])
def test_any_other_file_stays(spool: Spool, change: object, move: bool) -> None:
    assert callable(change)
    change(spool)
    content = spool.path.read_bytes()
    assert spool.remove(move=move) is Ending.KEPT
    assert spool.path.read_bytes() == content
    assert spool.moved() == {}


@pytest.mark.parametrize("move", [False, True])
def test_a_file_that_is_gone_is_no_failure(spool: Spool, move: bool) -> None:
    spool.path.unlink()
    assert spool.remove(move=move) is Ending.GONE
    spool.path.parent.rmdir()
    assert spool.remove(move=move) is Ending.GONE
    assert not may_be_removed(spool.file)


def test_a_name_that_is_reserved_in_vain_is_free_again(spool: Spool) -> None:
    """Here a file is in the way of the directory, so nothing can be moved there."""
    (spool.target / "sub").write_bytes(b"a file")
    with pytest.raises(OSError, match="sub"):
        spool.remove(move=True)
    assert spool.path.exists()


def test_numbers_come_before_the_extension() -> None:
    assert [numbered(b"d.e/a.mov", 0), numbered(b"d.e/a.mov", 1), numbered(b"d.e/a", 2)] == [
        b"d.e/a.mov",
        b"d.e/a.1.mov",
        b"d.e/a.2",
    ]
