"""The comparison of rows with files on disk."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from bulkup.api.verify.disk_comparison import Differing, DiskComparison
from bulkup.journal.upload_rows import UploadRow
from bulkup.model.disk_states import DiskState, compared
from bulkup.model.files import stat_of


def write(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())


def row_of(root: Path, name: str) -> UploadRow:
    """Return the row of a file as it is now."""
    return (os.fsencode(name), *stat_of(os.stat(root / name)))


def compare(root: Path, rows: Sequence[UploadRow]) -> list[Differing]:
    with contextlib.closing(DiskComparison({7: os.fsencode(root)})) as disk:
        return disk.compare(7, rows)


def test_files_that_are_as_they_were_recorded_are_not_listed(tmp_path: Path) -> None:
    """In the source itself, in folders, and in folders of folders that come back later."""
    names = ["a", "d/a", "d/e/a", "d/f", "z"]
    write(tmp_path, *names)
    assert compare(tmp_path, [row_of(tmp_path, name) for name in names]) == []


def test_what_differs_is_listed_with_its_number(tmp_path: Path) -> None:
    names = ["changed", "gone", "longer", "moved", "same", "was a file"]
    write(tmp_path, *names)
    rows = [row_of(tmp_path, name) for name in names]
    os.utime(tmp_path / "changed", ns=(1, 1))
    (tmp_path / "gone").unlink()
    (tmp_path / "longer").write_bytes(b"a longer text")
    status = os.stat(tmp_path / "moved")
    (tmp_path / "moved").rename(tmp_path / "kept")  # its inode stays in use
    write(tmp_path, "moved")
    os.utime(tmp_path / "moved", ns=(status.st_atime_ns, status.st_mtime_ns))
    (tmp_path / "was a file").unlink()
    (tmp_path / "was a file").mkdir()
    found = compare(tmp_path, rows)
    assert [(one.number, one.state) for one in found] == [
        (0, DiskState.CHANGED),
        (1, DiskState.DELETED),
        (2, DiskState.CHANGED),
        (3, DiskState.METADATA),
        (5, DiskState.CHANGED),
    ]
    assert found[2].reason == "its size was 6 bytes and is 13"


def test_files_of_a_folder_that_is_gone_are_deleted(tmp_path: Path) -> None:
    """The folder, or the whole source."""
    write(tmp_path, "s/d/a", "s/d/b", "s/e")
    rows = [row_of(tmp_path / "s", name) for name in ("d/a", "d/b", "e")]
    for name in ("a", "b"):
        (tmp_path / "s" / "d" / name).unlink()
    (tmp_path / "s" / "d").rmdir()
    assert [one.state for one in compare(tmp_path / "s", rows)] == [DiskState.DELETED] * 2
    assert [one.state for one in compare(tmp_path / "none", rows)] == [DiskState.DELETED] * 3


def test_a_link_stands_for_its_file(tmp_path: Path) -> None:
    """With the setting `symlinks`, a run uploads the files that links name."""
    write(tmp_path, "file", "other/file")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "folder").symlink_to("other")
    (tmp_path / "dead").symlink_to("nothing")
    stat = stat_of(os.stat(tmp_path / "file"))
    rows: list[UploadRow] = [
        (b"dead", *stat),
        row_of(tmp_path, "folder/file"),
        (b"link", *stat),
    ]
    assert [(one.number, one.state) for one in compare(tmp_path, rows)] == [(0, DiskState.DELETED)]


def test_a_path_longer_than_the_limit_of_the_system(tmp_path: Path) -> None:
    folder = os.open(tmp_path, os.O_RDONLY)
    names = ["d" * 200] * 25
    for name in names:
        os.mkdir(name, dir_fd=folder)
        below = os.open(name, os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = below
    os.close(os.open("a", os.O_CREAT | os.O_WRONLY, dir_fd=folder))
    row = (os.fsencode("/".join([*names, "a"])), *stat_of(os.stat("a", dir_fd=folder)))
    os.close(folder)
    assert compare(tmp_path, [row]) == []


def test_inodes_beyond_the_signed_range_are_those_of_the_system(tmp_path: Path) -> None:
    """The journal's integers have a sign."""
    write(tmp_path, "a")
    row = list(row_of(tmp_path, "a"))
    row[4] -= 1 << 64
    assert compare(tmp_path, [tuple(row)]) == []


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    names = [f"d{number:02}/a" for number in range(60)]
    write(tmp_path, *names)
    before = os.listdir("/dev/fd")
    assert compare(tmp_path, [row_of(tmp_path, name) for name in names]) == []
    assert os.listdir("/dev/fd") == before


def test_a_name_that_the_system_refuses(tmp_path: Path) -> None:
    """The file may be there on another system: nothing says that it was deleted."""
    write(tmp_path, "a")
    stat = stat_of(os.stat(tmp_path / "a"))
    found = compare(tmp_path, [(b"x" * 300, *stat), (b"y" * 300 + b"/a", *stat)])
    assert [one.state for one in found] == [DiskState.UNREADABLE] * 2
    assert found[0].reason == "File name too long"


@pytest.mark.parametrize(
    ("present", "state"),
    [
        ((3, 1, 1, 1, 1), DiskState.SAME),
        ((3, 1, 2, 1, 1), DiskState.METADATA),
        ((3, 1, 1, 2, 9), DiskState.METADATA),
        ((3, 2, 1, 1, 1), DiskState.CHANGED),
        ((4, 1, 1, 1, 1), DiskState.CHANGED),
    ],
)
def test_size_and_modification_time_decide(present: tuple[int, int, int, int, int], state: DiskState) -> None:
    assert compared((3, 1, 1, 1, 1), present) is state
