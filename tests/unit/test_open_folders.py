"""The stack of open folders: its descriptors are bounded, and no name is lost or read in another folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bulkup.helpers.beneath import FOLDER, open_beneath
from bulkup.pipeline.scan.open_folders import FolderOptions, OpenFolders

LIST = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
FEW = FolderOptions(most_open=2, most_listings=1, most_sorted=4)


class Stack:
    """A stack over the folders d, d/d, d/d/d and so on, each with the files `names`."""

    def __init__(self, root: Path, depth: int, names: int = 2, *, same_inode: bool = True) -> None:
        self.root = root
        self.depth = depth
        self.before = descriptors()
        place = root
        for _ in range(depth):
            place /= "d"
            place.mkdir()
            for number in range(names):
                (place / f"f{number}").touch()
        self.descriptor = os.open(root, FOLDER)
        self.reopened = list[bytes]()
        self.folders = OpenFolders(self.reopen, same_inode=same_inode, options=FEW)

    def reopen(self, path: bytes) -> int:
        self.reopened.append(path)
        return self.open(path)

    def open(self, path: bytes) -> int:
        return open_beneath(self.descriptor, path, LIST)

    def enter_all(self) -> int:
        """Enter every folder from the outermost to the innermost; return the most descriptors that were open."""
        most = 0
        for depth in range(1, self.depth + 1):
            path = b"/".join([b"d"] * depth)
            assert self.folders.enter(path, self.open(path))
            next(self.folders.innermost.names)
            most = max(most, len(descriptors() - self.before) - 1)  # without that of the root
        return most

    def leave_all(self) -> list[bytes]:
        """Read the remaining names of every folder, from the innermost to the outermost, and return their paths."""
        paths = []
        while self.folders:
            folder = self.folders.innermost
            at = self.folders.descriptor()
            for name in folder.names:
                os.lstat(name, dir_fd=at)
                paths.append(folder.prefix + name)
            self.folders.leave()
        return paths


def descriptors() -> set[str]:
    return set(os.listdir("/dev/fd"))


@pytest.fixture
def stacked(tmp_path: Path) -> Iterator[Callable[..., Stack]]:
    stacks = list[Stack]()

    def make(depth: int, names: int = 2, *, same_inode: bool = True) -> Stack:
        stacks.append(Stack(tmp_path, depth, names, same_inode=same_inode))
        return stacks[-1]

    yield make
    for stack in stacks:
        stack.folders.close()
        os.close(stack.descriptor)
        assert descriptors() == stack.before


@pytest.mark.parametrize("names", [2, 20])
def test_a_deep_tree_needs_a_bounded_number_of_descriptors(stacked: Callable[..., Stack], names: int) -> None:
    """And every name is read once. The listing of a large folder needs one more, and is bounded too."""
    stack = stacked(30, names)
    assert stack.enter_all() <= FEW.most_open + 2 * FEW.most_listings
    rest = stack.leave_all()
    assert len(rest) == len(set(rest)) == 30 * names - 1  # the innermost folder has no folder in it
    assert len(stack.reopened) == 28


def test_a_folder_that_was_replaced_meanwhile_is_not_read(stacked: Callable[..., Stack]) -> None:
    """Its name leads to another folder, or to a link."""
    stack = stacked(6)
    stack.enter_all()
    for _ in range(2):
        stack.folders.leave()
    (stack.root / "d" / "d").rename(stack.root / "moved")
    (stack.root / "d" / "d" / "d" / "d").mkdir(parents=True)
    for path in (b"d/d/d/d", b"d/d/d", b"d/d"):
        with pytest.raises(FileNotFoundError):
            stack.folders.descriptor()
        assert stack.reopened[-1] == path
        stack.folders.leave()
    (stack.root / "d").rename(stack.root / "moved too")
    (stack.root / "d").symlink_to("moved too")
    with pytest.raises(OSError, match="Too many levels"):
        stack.folders.descriptor()


def test_without_stable_inodes_a_folder_is_recognised_by_its_path(stacked: Callable[..., Stack]) -> None:
    stack = stacked(6, same_inode=False)
    stack.enter_all()
    for _ in range(2):
        stack.folders.leave()
    (stack.root / "d" / "d").rename(stack.root / "moved")
    (stack.root / "d" / "d" / "d" / "d").mkdir(parents=True)
    os.close(os.dup(stack.folders.descriptor()))
    assert stack.reopened == [b"d/d/d/d"]


def test_a_folder_on_the_path_is_not_entered_again(stacked: Callable[..., Stack]) -> None:
    """Also one that is closed meanwhile. After it was left it can be entered."""
    stack = stacked(5)
    stack.enter_all()
    count = len(descriptors())
    assert not stack.folders.enter(b"d/d/d/d/d/up", stack.open(b"d"))
    assert len(descriptors()) == count
    stack.leave_all()
    assert stack.folders.enter(b"d", stack.open(b"d"))


@pytest.mark.parametrize("names", [3, 4, 5, 20])
def test_the_names_of_all_but_large_folders_are_sorted(tmp_path: Path, names: int) -> None:
    """None is lost at the bound."""
    expected = [b"%d" % number for number in range(names)]
    for name in reversed(expected):
        (tmp_path / name.decode()).touch()
    folders = OpenFolders(lambda _: 0, options=FEW)
    assert folders.enter(b"", os.open(tmp_path, LIST))
    read = list(folders.innermost.names)
    assert sorted(read) == sorted(expected)
    if names < FEW.most_sorted:
        assert read == sorted(read)
    folders.close()


@pytest.mark.parametrize("name", [b"\xff\xfe", "\u00e9".encode(), b"new\nline"])
def test_names_are_those_on_disk(tmp_path: Path, name: bytes) -> None:
    (tmp_path / os.fsdecode(name)).touch()
    folders = OpenFolders(lambda _: 0)
    folders.enter(b"", os.open(tmp_path, LIST))
    assert list(folders.innermost.names) == [name]
    folders.close()


def test_something_else_than_a_folder_leaves_no_descriptor(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    folders, before = OpenFolders(lambda _: 0), descriptors()
    with pytest.raises(NotADirectoryError):
        folders.enter(b"a", os.open(tmp_path / "a", os.O_RDONLY))
    assert descriptors() == before


@pytest.mark.parametrize("number", [3, 40])
def test_entries_that_are_left_out(tmp_path: Path, number: int) -> None:
    """In small folders, which are read at once, and in large ones."""
    for one in range(number):
        (tmp_path / f"{one:02}").touch()
    asked = []

    def odd(prefix: bytes, entry: os.DirEntry[str]) -> bool:
        asked.append(prefix + os.fsencode(entry.name))
        return int(entry.name) % 2 == 1

    folders = OpenFolders(lambda path: pytest.fail(f"{path!r} is opened again"), options=FEW, leaves_out=odd)
    assert folders.enter(b"here", os.open(tmp_path, LIST))
    assert sorted(folders.innermost.names) == [b"%02d" % one for one in range(0, number, 2)]
    assert sorted(asked) == [b"here/%02d" % one for one in range(number)]
    folders.close()
