"""The list of ids that a bench created: written as they come, complete in the end, never into another's file."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from bench_world import journal_with

from bulkup.cli.bench_manifest import BenchManifest, IdsNotWrittenError, bench_manifest, write_created
from bulkup.errors import UsageError
from bulkup.model.items import Result
from bulkup.model.states import FileState


def settled(number: int, remote_id: str | None) -> Result:
    return Result("/bench", b"%d.mp4" % number, FileState.UPLOADED, 5, None, remote_id, 1, None)


def ids(path: Path) -> list[str]:
    return [json.loads(line)["remote_id"] for line in path.read_text().splitlines()]


def test_ids_are_written_as_they_come(tmp_path: Path) -> None:
    """So they survive a kill."""
    path = tmp_path / "ids"
    with bench_manifest(str(path)) as manifest:
        assert manifest is not None
        manifest.append([settled(1, "one"), settled(2, None), settled(3, "three")])
        assert ids(path) == ["one", "three"]
        manifest.append([settled(4, "four")])
        assert ids(path) == ["one", "three", "four"]


async def test_the_full_list_replaces_them(tmp_path: Path) -> None:
    path, journal = tmp_path / "ids", await journal_with(tmp_path, "one", "two")
    with bench_manifest(str(path)) as manifest:
        assert manifest is not None
        manifest.append([settled(1, "one")])
        created = manifest.complete(journal)
    assert (created.ids, created.manifest) == (2, str(path))
    assert sorted(ids(path)) == ["one", "two"]
    assert sorted(os.listdir(tmp_path)) == sorted(
        {"ids", *(name for name in os.listdir(tmp_path) if "journal" in name)}
    )


def test_an_empty_list_is_removed(tmp_path: Path) -> None:
    with bench_manifest(str(tmp_path / "ids")) as manifest:
        assert manifest is not None
        assert manifest.complete(str(tmp_path / "no journal")).manifest is None
    assert list(tmp_path.iterdir()) == []


def test_an_existing_file_is_refused(tmp_path: Path) -> None:
    """A link as well, also one that leads nowhere."""
    (tmp_path / "file").write_bytes(b"mine")
    (tmp_path / "link").symlink_to("gone")
    for name in ("file", "link", "no folder/ids"):
        with pytest.raises(UsageError, match=name):
            BenchManifest(str(tmp_path / name))
    assert (tmp_path / "file").read_bytes() == b"mine"


@pytest.mark.parametrize("other", ["file", "link", "fifo", "folder"])
async def test_another_file_under_its_name_is_not_touched(tmp_path: Path, other: str) -> None:
    """The ids are still in the journal, and the error says where."""
    path, victim, journal = tmp_path / "ids", tmp_path / "victim", await journal_with(tmp_path, "one")
    victim.write_bytes(b"not the bench's")
    with bench_manifest(str(path)) as manifest:
        assert manifest is not None
        path.rename(tmp_path / "moved")
        if other == "file":
            os.link(victim, path)
        elif other == "link":
            path.symlink_to(victim)
        elif other == "fifo":
            os.mkfifo(path)
        else:
            path.mkdir()
        with pytest.raises(IdsNotWrittenError) as raised:
            manifest.complete(journal)
    assert str(path) in raised.value.message
    assert journal in raised.value.hint
    assert victim.read_bytes() == b"not the bench's"
    assert os.path.lexists(path)


async def test_a_list_that_was_moved_away_is_written_anew(tmp_path: Path) -> None:
    path, journal = tmp_path / "ids", await journal_with(tmp_path, "one")
    with bench_manifest(str(path)) as manifest:
        assert manifest is not None
        path.rename(tmp_path / "moved")
        manifest.complete(journal)
    assert ids(path) == ["one"]


async def test_a_list_that_is_complete_already_is_left(tmp_path: Path) -> None:
    """A bench may be killed just after it wrote the list."""
    path, journal = tmp_path / "ids", await journal_with(tmp_path, "one")
    with bench_manifest(str(path)) as manifest:
        assert manifest is not None
        reserved = manifest.reserved
        manifest.complete(journal)
    before = path.stat()
    assert write_created(journal, reserved, str(path)).ids == 1
    assert path.stat() == before
