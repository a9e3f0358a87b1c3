"""The files of bulkup itself are recognised by device and inode, under any path."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bulkup.cli.output_file import output_file
from bulkup.model.counters import Ignored
from bulkup.model.files import FoundFile, Source
from bulkup.pipeline.files.file_opener import FileOpener
from bulkup.pipeline.options import ScanOptions, Symlinks
from bulkup.pipeline.scan.own_files import OwnFiles
from bulkup.pipeline.scan.walk import Walk

SIDES = ("", "-wal", "-shm", "-journal", ".lock", ".damaged-20260101T000000")


class Place:
    """A source with one file, and beside it a journal with all its side files, a folder of journals, and a store."""

    def __init__(self, root: Path) -> None:
        self.source, self.store, self.state = root / "source", root / "store", root / "state"
        self.journal = root / "journals" / "a.sqlite3"
        self.object = self.store / "objects" / "local" / "ab" / "x.mp4"
        self.files = [self.journal.with_name(self.journal.name + side) for side in SIDES]
        keys = self.store / "state" / "keys.json"
        for file in (self.source / "own.mp4", *self.files, self.object, keys, self.state / "other.sqlite3"):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(b"content")

    def walk(self, symlinks: Symlinks = "skip", files_from: Path | None = None, **options: object) -> Walk:
        """Walk the source, and expect that its one file is found and nothing else."""
        own = OwnFiles(str(self.journal), str(self.store), [str(self.state)])
        listed = None if files_from is None else str(files_from)
        scan = ScanOptions(symlinks=symlinks, files_from=listed, **options)  # type: ignore[arg-type]
        self.ignored = Ignored()
        source = Source(os.path.realpath(os.fsencode(self.source)))
        walk = Walk((source,), scan, self.ignored, 2e9, FileOpener(symlinks), own)
        entries = list(walk.entries(source))
        assert all(isinstance(entry, FoundFile) for entry in entries)
        assert [entry.path for entry in entries] == [b"own.mp4"]
        return walk


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.mark.parametrize("side", range(len(SIDES)))
@pytest.mark.parametrize("include", [(), ("*.mp4",)])
def test_a_hard_link_to_a_file_of_the_journal_is_not_found(place: Place, side: int, include: tuple[str, ...]) -> None:
    """Also where patterns select the files. The first path is kept for the log."""
    (place.source / "a.mp4").hardlink_to(place.files[side])
    assert place.walk(include=include).first_own == b"a.mp4"
    assert place.ignored == Ignored(own=1)


@pytest.mark.parametrize("side", SIDES)
def test_a_file_system_that_shows_the_journal_under_another_device(place: Place, side: str) -> None:
    """As overlayfs does. Another name with the same inode on another device is another file."""
    journal = place.journal.with_name(place.journal.name + side)
    shown = os.stat_result([*os.stat(journal)[:2], os.stat(journal).st_dev + 1, *os.stat(journal)[3:]])
    own = OwnFiles(str(place.journal))
    assert own.has_file(os.fsencode(journal.name), shown)
    assert not own.has_file(b"a.mp4", shown)


def test_links_to_files_of_the_journal_are_not_followed(place: Place) -> None:
    for number, file in enumerate(place.files):
        (place.source / f"a{number}.mp4").symlink_to(file)
    place.walk("follow")
    assert place.ignored == Ignored(own=len(SIDES))


def test_a_link_to_a_folder_of_journals_is_not_followed(place: Place) -> None:
    """Other journals contain live URLs as well. In the folder of the run's journal only its own files are skipped."""
    (place.source / "a").symlink_to(place.state)
    (place.source / "b").symlink_to(place.journal.parent)
    place.walk("follow")
    assert place.ignored == Ignored(own=1 + len(SIDES))


@pytest.mark.parametrize(
    "inside", ["", "objects", "objects/local", "objects/local/ab", "state", "objects/local/ab/x.mp4"]
)
def test_links_into_the_store_are_not_followed(place: Place, inside: str) -> None:
    """To the store, to one of its folders, or to an object."""
    (place.source / "a").symlink_to(place.store / inside)
    place.walk("follow")
    assert place.ignored == Ignored(own=1)


def test_a_store_that_a_link_leads_past_is_not_entered(place: Place) -> None:
    (place.source / "a").symlink_to(place.store.parent / "around")
    (place.store.parent / "around").mkdir()
    place.store.rename(place.store.parent / "around" / "store")
    place.store.symlink_to("around/store")
    place.walk("follow")
    assert place.ignored == Ignored(own=1)


def test_a_hard_link_to_an_object_of_the_store_is_not_found(place: Place) -> None:
    """Other files with several names are."""
    (place.source / "a.mp4").hardlink_to(place.object)
    (place.source.parent / "second name").hardlink_to(place.source / "own.mp4")
    place.walk()
    assert place.ignored == Ignored(own=1)


def test_unfinished_output_files_are_not_found(place: Place) -> None:
    """Of another command, or of one that was killed. Similar names are found."""
    with output_file(str(place.source.parent / "manifest")), output_file(str(place.source / "a.mp4")):
        place.walk()
        assert place.ignored == Ignored(own=1)
    (place.source / "a.mp4").unlink()
    (place.source / ".bulkup-notes").touch()
    with pytest.raises(AssertionError):
        place.walk()


def test_a_list_of_names_does_not_lead_to_them(place: Place, tmp_path: Path) -> None:
    (place.source / "a").hardlink_to(place.journal)
    (place.source / "b").symlink_to(place.journal)
    (place.source / "c").symlink_to(place.store)
    (tmp_path / "names").write_text("a\nb\nc/objects/local/ab/x.mp4\nown.mp4\n")
    place.walk("follow", tmp_path / "names")
    assert place.ignored == Ignored(own=3)


def test_a_source_that_is_one_of_their_folders_is_not_read(place: Place) -> None:
    """It was mounted at another place. It is not an empty source, which would be taken for a lost mount."""
    own = OwnFiles(None, None, [str(place.source)])
    source, ignored = Source(os.path.realpath(os.fsencode(place.source))), Ignored()
    walk = Walk((source,), ScanOptions(), ignored, 2e9, FileOpener(), own)
    assert list(walk.entries(source)) == []
    assert (walk.seen, ignored) == (1, Ignored(own=1))


def test_without_a_journal_and_a_store_nothing_is_recognised(place: Place) -> None:
    own = OwnFiles()
    assert not own.has_file(b"a", place.journal.stat())
    assert not own.has_target(os.fsencode(place.object))
