"""What the journal tells commands: filtered manifests, failures by reason, single files, and what is left to retry."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from journal_world import NOW, ROOT, THERE, a_ticket, an_item, ask, identity, problem, running, upload_one

from bulkup.journal import Destination, Journal, Reader
from bulkup.journal.failure_groups import GroupingOptions, failure_groups
from bulkup.journal.file_record import file_records
from bulkup.journal.unfinished_paths import PathsOptions, UnfinishedPaths
from bulkup.journal.upload_rows import UploadRowsOptions, stat_in, upload_in, upload_pages
from bulkup.model.files import Digest, Source
from bulkup.model.items import Outcome
from bulkup.model.states import DONE, NOT_UPLOADED, FileState
from bulkup.model.stored_objects import Upload
from bulkup.pipeline.policy.common_refusals import alike


async def settle(journal: Journal, source: Source, path: bytes, state: FileState, reason: str = "it broke") -> None:
    """Record a file as not uploaded."""
    item = an_item(source, path, identity=identity(size=10))
    await journal.settled([Outcome(item, state, problem(reason))], NOW)


def paths_of(path: Path, states: tuple[FileState, ...] = (), since: int = 0) -> list[bytes]:
    with Reader(str(path)) as reader:
        return [row.path for row in reader.manifest(states, since)]


async def test_a_manifest_of_some_states_and_of_later_runs(tmp_path: Path) -> None:
    """Files in groups are in it as well, and rows come in their order."""
    path = tmp_path / "journal.sqlite3"
    async with running(path) as (journal, (source,)):
        await settle(journal, source, b"a", FileState.FAILED)
        await settle(journal, source, b"b", FileState.REJECTED)
        await upload_one(journal, an_item(source, b"c"), a_ticket("c"))
    async with running(path) as (journal, (source,)):
        await settle(journal, source, b"d", FileState.FAILED)
        await ask(journal, an_item(source, b"e"))
        assert paths_of(path, (FileState.FAILED,)) == [b"a", b"d"]
        assert paths_of(path, NOT_UPLOADED) == [b"a", b"b", b"d"]
        assert paths_of(path, (FileState.ASKED,)) == [b"e"]
        assert paths_of(path, since=2) == [b"d", b"e"]
        assert paths_of(path, NOT_UPLOADED, since=2) == [b"d"]
        assert paths_of(path) == [b"a", b"b", b"c", b"d", b"e"]


async def test_runs_are_named_by_the_beginning_of_their_id(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    ids = []
    for _ in range(3):
        async with running(path) as (journal, _):
            ids.append(journal.run)
    with Reader(str(path)) as reader:
        assert reader.run_numbers(ids[1]) == [2]
        assert reader.run_numbers(ids[1][:20]) == [2]
        assert reader.run_numbers("last") == [3]
        assert reader.run_numbers("no such run") == []
        assert reader.run_numbers("%") == []
        assert len(reader.run_numbers("")) == 3


async def test_failures_with_one_cause_are_one_group(tmp_path: Path) -> None:
    """Reasons differ in ids and names. The example is the first file of the group with its own reason."""
    path = tmp_path / "journal.sqlite3"
    async with running(path) as (journal, (source,)):
        await settle(journal, source, b"b", FileState.FAILED, "the service answered 500 for request 1234567")
        await settle(journal, source, b"a", FileState.FAILED, "the service answered 500 for request 7654321")
        await settle(journal, source, b"c", FileState.UNREADABLE, "Permission denied")
        await upload_one(journal, an_item(source, b"d"), a_ticket("d"))
    with Reader(str(path)) as reader:
        first, second = failure_groups(reader, alike)
        assert failure_groups(reader, alike, since=2) == []
    assert (first.status, first.files, first.size, first.path) == (FileState.FAILED, 2, 20, b"a")
    assert (first.reason, first.source) == ("the service answered 500 for request …", ROOT)
    assert first.example.endswith("7654321")
    assert (second.status, second.reason, second.files) == (FileState.UNREADABLE, "Permission denied", 1)


async def test_reasons_beyond_the_most_count_as_one(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    async with running(path) as (journal, (source,)):
        for number in range(5):
            await settle(journal, source, b"%d" % number, FileState.FAILED, f"reason {'abcde'[number]}")
    with Reader(str(path)) as reader:
        groups = failure_groups(reader, str, options=GroupingOptions(most=2))
    assert sorted(group.files for group in groups) == [1, 1, 3]
    assert groups[0].reason == "other reasons"


async def test_a_file_is_found_by_its_path_on_disk_and_in_its_source(tmp_path: Path) -> None:
    """With the run that wrote its row, and its ids that are not needed any more."""
    path, root = tmp_path / "journal.sqlite3", tmp_path / "media"
    (root / "d").mkdir(parents=True)
    async with running(path, os.fsencode(root)) as (journal, (source,)):
        await upload_one(journal, an_item(source, b"d/a.mp4"), a_ticket("old"))
    async with running(path, os.fsencode(root)) as (journal, (source,)):
        await upload_one(journal, an_item(source, b"d/a.mp4"), a_ticket("new"))
        run = journal.run
    with Reader(str(path)) as reader, contextlib.chdir(root):
        (record,) = file_records(reader, os.fsencode(root / "d" / "a.mp4"))
        assert file_records(reader, b"d/../d/a.mp4") == [record]
        assert file_records(reader, b"a.mp4") == []
        assert file_records(reader, os.fsencode(root) + b"x/d/a.mp4") == []
    with Reader(str(path)) as reader, contextlib.chdir(tmp_path):
        assert file_records(reader, b"./d/a.mp4") == [record]
    assert (record.row.remote_id, record.run, record.base_url) == ("new", run, THERE.base_url)
    assert [other.remote_id for other in record.other_ids] == ["old"]


async def test_sources_and_files_that_the_journal_knows(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    async with running(path) as (journal, (source,)):
        await settle(journal, source, b"a", FileState.FAILED)
    with Reader(str(path)) as reader:
        assert reader.knows_source(ROOT)
        assert not reader.knows_source(ROOT + b"x")
        assert reader.knows_file(ROOT, b"a")
        assert not reader.knows_file(ROOT, b"b")


async def test_the_paths_that_are_not_uploaded_come_in_order_and_page_by_page(tmp_path: Path) -> None:
    """The source itself may be one, with an empty path. Rejected files come on request."""
    path = tmp_path / "journal.sqlite3"
    async with running(path) as (journal, (source,)):
        for name, state in [(b"", FileState.UNREADABLE), (b"a", FileState.FAILED), (b"a/b", FileState.CHANGED)]:
            await settle(journal, source, name, state)
        await settle(journal, source, b"r", FileState.REJECTED)
        await upload_one(journal, an_item(source, b"c"), a_ticket("c"))
        await journal.pending([an_item(source, b"p\xff")])
    for rejected, expected in [(False, [b"", b"a", b"a/b", b"p\xff"]), (True, [b"", b"a", b"a/b", b"p\xff", b"r"])]:
        options = PathsOptions(rows_per_page=2)
        with contextlib.closing(UnfinishedPaths(str(path), THERE, rejected=rejected, options=options)) as paths:
            assert list(paths.of(source.id)) == expected
            assert list(paths.of(source.id + 1)) == []
    elsewhere = Destination("magic-hour", "https://other.example")
    with contextlib.closing(UnfinishedPaths(str(path), elsewhere, rejected=True)) as paths:
        assert list(paths.of(source.id)) == []


async def test_the_rows_of_uploads_come_in_pages(tmp_path: Path) -> None:
    """Numbers of inodes and devices are those of the system, also above 2^63."""
    path, large = tmp_path / "journal.sqlite3", (1 << 64) - 2
    async with running(path) as (journal, (source,)):
        for name in (b"a", b"b", b"c"):
            await upload_one(journal, an_item(source, name, identity=identity(inode=large)), a_ticket(name.decode()))
        await settle(journal, source, b"d", FileState.FAILED)
    with Reader(str(path)) as reader:
        pages = list(upload_pages(reader, details=True, options=UploadRowsOptions(rows_per_page=2)))
        plain = list(upload_pages(reader))
    assert [[row[0] for row in page.rows] for page in pages] == [[b"a", b"b"], [b"c"]]
    assert [row[:6] for page in pages for row in page.rows] == plain[0].rows
    assert stat_in(plain[0].rows[0]) == identity(inode=large)
    assert upload_in(pages[0].rows[0], str(path)) == Upload("a", 3, Digest(b"m" * 16), {"id": "a"}, "etag", None)
    assert {(page.destination, page.source) for page in pages} == {(1, source.id)}


def test_no_state_is_both_done_and_not_uploaded() -> None:
    assert not DONE & set(NOT_UPLOADED)
