"""`.bulkupignore` at the top of a source, in walks of real trees."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from bulkup.errors import UsageError
from bulkup.model.counters import Ignored
from bulkup.model.files import FoundFile, Source
from bulkup.pipeline.options import ScanOptions
from bulkup.pipeline.scan.walk import Walk


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("a.mp4", "a.tmp", "cache/b.mp4", "deep/er/c.mp4"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return tmp_path


def walked(*roots: Path, **options: Any) -> list[str]:
    sources = tuple(Source(os.fsencode(root), id=number) for number, root in enumerate(roots))
    walk = Walk(sources, ScanOptions(**options), Ignored(), 2e9)
    entries = [entry for source in sources for entry in walk.entries(source)]
    return sorted(os.fsdecode(entry.path) for entry in entries if isinstance(entry, FoundFile))


def test_its_patterns_are_left_out_and_so_is_the_file(tree: Path) -> None:
    (tree / ".bulkupignore").write_text("# ours\n*.tmp\ncache/\n")
    assert walked(tree) == ["a.mp4", "deep/er/c.mp4"]
    assert walked(tree, ignore_file=False) == [".bulkupignore", "a.mp4", "a.tmp", "cache/b.mp4", "deep/er/c.mp4"]


def test_patterns_of_the_options_come_after_it(tree: Path) -> None:
    (tree / ".bulkupignore").write_text("*.tmp\n")
    assert "a.tmp" in walked(tree, exclude=("!a.tmp",))


def test_each_source_has_its_own(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other")
    (other / "z.tmp").write_bytes(b"x")
    (tree / ".bulkupignore").write_text("*.tmp\n")
    assert walked(tree, other) == ["a.mp4", "cache/b.mp4", "deep/er/c.mp4", "z.tmp"]


def test_one_in_a_folder_is_a_file_like_others(tree: Path) -> None:
    (tree / "cache" / ".bulkupignore").write_text("*.mp4\n")
    assert "cache/b.mp4" in walked(tree)


@pytest.mark.parametrize("kind", ["a mistake", "a link", "a directory", "a pipe"])
def test_one_that_cannot_be_used_is_an_error(tree: Path, kind: str) -> None:
    path = tree / ".bulkupignore"
    if kind == "a mistake":
        path.write_text("*.tmp\n[b-a]\n")
    elif kind == "a link":
        path.symlink_to("a.tmp")
    elif kind == "a directory":
        path.mkdir()
    else:
        os.mkfifo(path)
    with pytest.raises(UsageError, match=r"\.bulkupignore:2" if kind == "a mistake" else "cannot read .bulkupignore"):
        walked(tree)


def test_no_more_levels_are_walked_than_asked_for(tree: Path) -> None:
    assert walked(tree, max_depth=1) == ["a.mp4", "a.tmp"]
    assert walked(tree, max_depth=2) == ["a.mp4", "a.tmp", "cache/b.mp4"]
    assert walked(tree, max_depth=3) == ["a.mp4", "a.tmp", "cache/b.mp4", "deep/er/c.mp4"]


def test_old_files_are_left_out(tree: Path) -> None:
    for name, changed in (("a.mp4", 1.9e9), ("a.tmp", 1.5e9)):
        os.utime(tree / name, (changed, changed))
    assert walked(tree, max_age=3e8, include=("/a.*",)) == ["a.mp4"]
