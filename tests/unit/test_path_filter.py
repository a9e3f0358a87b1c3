"""Which changed paths of a watch begin a run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from bulkup.api.watch.path_filter import PathFilter, read_path_filter
from bulkup.config import Settings
from bulkup.model.shard import Shard
from bulkup.pipeline import ScanOptions

ROOT = b"/data"
LOG, MOVIE = b"day 1/camera.log", b"day 1/a.mp4"


def taken(path: bytes, *, is_folder: bool = False, ignored: tuple[str, ...] = (), **options: Any) -> bool:
    return PathFilter(ScanOptions(**options), {ROOT: ignored}).takes(ROOT, path, is_folder=is_folder)


@pytest.mark.parametrize("options", [{"exclude": ("*.log",)}, {"include": ("*.mp4",)}, {"ignored": ("/day 1/*.log",)}])
def test_files_that_patterns_leave_out(options: dict[str, Any]) -> None:
    assert taken(MOVIE, **options)
    assert not taken(LOG, **options)


def test_patterns_of_files_do_not_leave_out_folders() -> None:
    """A folder that was moved in may have files that match."""
    assert taken(b"day 1", is_folder=True, include=("*.mp4",))
    assert taken(b"cache", exclude=("cache/",))
    assert not taken(b"cache", is_folder=True, exclude=("cache/",))


@pytest.mark.parametrize("path", [b"cache/a.mp4", b"day 1/cache/deep/a.mp4"])
def test_all_that_is_in_an_excluded_folder(path: bytes) -> None:
    """As in a walk, which does not enter it: no other pattern takes its files back."""
    assert not taken(path, exclude=("cache/", "!*.mp4"))


@pytest.mark.parametrize("path", [b".notes", b".trash/a.mp4", b"day 1/.trash/deep/a.mp4"])
def test_hidden_paths(path: bytes) -> None:
    assert not taken(path, hidden="skip")
    assert taken(path, hidden="include")


def test_paths_that_are_too_deep() -> None:
    assert taken(MOVIE, max_depth=2)
    assert not taken(MOVIE, max_depth=1)
    assert not taken(b"day 1", is_folder=True, max_depth=1)


def test_files_of_another_shard() -> None:
    shards = [Shard(number, 3) for number in (1, 2, 3)]
    assert sum(taken(MOVIE, shard=shard) for shard in shards) == 1
    assert all(taken(b"day 1", is_folder=True, shard=shard) for shard in shards)


def test_the_file_with_patterns_counts_unless_it_is_not_used() -> None:
    options: dict[str, Any] = {"hidden": "skip", "include": ("*.mp4",)}
    assert taken(b".bulkupignore", **options)
    assert not taken(b".bulkupignore", ignore_file=False, **options)
    assert not taken(b"day 1/.bulkupignore", **options)


def test_a_source_that_was_not_there() -> None:
    """The run decides then."""
    assert PathFilter(ScanOptions(exclude=("*",)), {}).takes(ROOT, LOG, is_folder=False)


def test_patterns_are_those_on_disk_and_journals_begin_no_run(tmp_path: Path) -> None:
    """The runs of another profile write to its journal, which may lie in the source."""
    root = os.fsencode(os.path.realpath(tmp_path))
    (tmp_path / ".bulkupignore").write_text("*.log\n")
    environ = {"XDG_STATE_HOME": str(tmp_path / ".local" / "state")}
    settings = Settings(source=(str(tmp_path),), exclude=("*.part",))
    found = read_path_filter(settings, environ)
    for path in (b"a.log", b"a.part", b".local/state/bulkup/other.sqlite3-wal"):
        assert not found.takes(root, path, is_folder=False)
    for path in (b"a.mp4", b".local/state/a.mp4"):
        assert found.takes(root, path, is_folder=False)
