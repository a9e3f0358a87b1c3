"""Real paths are those of `os.path.realpath`, and a folder is examined once for all paths below it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bulkup.helpers.real_paths import RealPaths
from bulkup.model.counters import Ignored
from bulkup.model.files import Source
from bulkup.pipeline.files.file_opener import FileOpener
from bulkup.pipeline.options import ScanOptions, Symlinks
from bulkup.pipeline.scan.walk import Walk


@pytest.fixture
def root(tmp_path: Path) -> bytes:
    """Return a tree with links to a folder, to a file, out of the tree, to nothing and to itself."""
    tree = tmp_path / "tree"
    (tree / "a" / "b").mkdir(parents=True)
    (tree / "a" / "b" / "file").touch()
    for link, target in {
        "l": "a",
        "a/up": "..",
        "f": "a/b/file",
        "out": str(tmp_path),
        "no": "x/y",
        "me": "me",
    }.items():
        (tree / link).symlink_to(target)
    return os.path.realpath(os.fsencode(tree))


@pytest.mark.parametrize("most", [1, 2, 256])
def test_paths_are_those_of_the_system(root: bytes, most: int) -> None:
    """Whichever folders are known already."""
    paths = [b"a", b"l/b/file", b"a/up/l/up/f", b"out/tree/l/b", b"no/z", b"me/z", b"a/b/none", b"a/../f", b".", b""]
    real = RealPaths(most)
    for path in (*paths, *reversed(paths)):
        assert real.of(root, path) == os.path.realpath(os.path.join(root, path)), path


def test_a_deep_tree_takes_a_look_for_each_folder(root: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Down and up again, below a link too."""
    seen = list[bytes]()
    islink = os.path.islink

    def counted(path: bytes) -> bool:
        seen.append(path)
        return islink(path)

    monkeypatch.setattr(os.path, "islink", counted)
    real = RealPaths()
    deep = [b"/".join([b"l", *[b"n"] * depth]) for depth in range(1000)]
    for path in (*deep, *reversed(deep)):
        assert real.of(root, path) == os.path.join(root, b"a", *[b"n"] * (path.count(b"/")))
    assert len(seen) < 10 * len(deep)


@pytest.mark.parametrize("symlinks", ["inside", "follow"])
def test_a_walk_below_a_link_looks_at_each_folder_a_few_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, symlinks: Symlinks
) -> None:
    """With a second source as well, for which each folder is compared with both."""
    depth, at = 300, tmp_path / "source"
    for _ in range(depth):
        at = at / "n"
    at.mkdir(parents=True)
    (at / "file").touch()
    (tmp_path / "source" / "l").symlink_to("n")
    looks = list[object]()
    lstat = os.lstat

    def counted(path: bytes, **options: int) -> os.stat_result:
        looks.append(path)
        return lstat(path, **options)

    monkeypatch.setattr(os, "lstat", counted)
    source, other = (Source(os.path.realpath(os.fsencode(tmp_path / name))) for name in ("source", "other"))
    walk = Walk((source, other), ScanOptions(symlinks=symlinks), Ignored(), 2e9, FileOpener(symlinks))
    found = [entry.path for entry in walk.entries(source)]
    assert found == [b"/".join([first, *[b"n"] * (depth - 1), b"file"]) for first in (b"l", b"n")]
    assert len(looks) < 20 * depth
