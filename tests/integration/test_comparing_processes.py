"""Uploads compared with the disk in several processes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import anyio
import pytest
from journal_world import a_ticket, an_item, running, upload_one

from bulkup.api.verify.comparing_processes import compare_with_disk
from bulkup.api.verify.upload_check import VerifyOptions
from bulkup.errors import JournalError
from bulkup.journal import Reader
from bulkup.journal.upload_rows import split_uploads, upload_pages
from bulkup.model.disk_states import DiskState
from bulkup.model.files import Identity
from bulkup.model.verify_results import VerifiedFile

OPTIONS = VerifyOptions(rows=3, rows_per_process=5)


async def upload(journal_path: Path, *roots: Path) -> None:
    """Record ten files of each source as uploaded, as they are on disk."""
    async with running(journal_path, *(os.fsencode(root) for root in roots)) as (journal, sources):
        for source in sources:
            for number in range(10):
                name = f"d{number % 3}/{number}"
                path = Path(os.fsdecode(source.root)) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(name.encode())
                item = an_item(source, name.encode(), identity=Identity.of(os.stat(path)))
                await upload_one(journal, item, a_ticket(f"{source.id} {name}"))


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    path = tmp_path / "j" / "journal.sqlite3"
    anyio.run(upload, path, tmp_path / "a", tmp_path / "b", tmp_path / "c")
    return path


@pytest.mark.parametrize("processes", [1, 2, 3, 7])
def test_shares_have_every_row_once_and_in_order(journal: Path, processes: int) -> None:
    with Reader(str(journal)) as reader:
        everything = [(page.source, row[0]) for page in upload_pages(reader) for row in page.rows]
        shares = split_uploads(reader, processes, 4)
        found = [
            [(page.source, row[0]) for page in upload_pages(reader, share=share) for row in page.rows]
            for share in shares
        ]
    assert len(everything) == 30
    assert [row for share in found for row in share] == everything
    assert {len(share) for share in found} <= {30 // processes, 30 // processes + 1}


def test_small_journals_are_not_divided(journal: Path) -> None:
    with Reader(str(journal)) as reader:
        assert len(split_uploads(reader, 8, 16)) == 1
        assert len(split_uploads(reader, 8, 15)) == 2


@pytest.mark.parametrize("processes", [1, 2, 6])
def test_the_results_are_those_of_one_process(journal: Path, tmp_path: Path, processes: int) -> None:
    gone = [tmp_path / source / f"d{number % 3}" / str(number) for source in "abc" for number in (1, 5, 8)]
    for path in gone:
        path.unlink()
    found: list[VerifiedFile] = []
    counts = compare_with_disk(str(journal), OPTIONS, found.extend, processes)
    assert (counts.files, counts.differing, counts.not_uploaded) == (30, 9, 0)
    assert counts.disk == {DiskState.SAME: 21, DiskState.DELETED: 9}
    paths = [os.fsdecode(file.source + b"/" + file.path) for file in found]
    assert paths == sorted(map(str, gone))
    assert_no_process_is_left()


def test_an_error_ends_all_processes(journal: Path, tmp_path: Path) -> None:
    """For example if the reader closes the output."""
    (tmp_path / "a" / "d0" / "0").unlink()

    def emit(files: Sequence[VerifiedFile]) -> None:
        if files:
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        compare_with_disk(str(journal), OPTIONS, emit, 3)
    assert_no_process_is_left()


def test_a_missing_journal(tmp_path: Path) -> None:
    compare = partial(compare_with_disk, str(tmp_path / "none"), OPTIONS, print, 2)
    with pytest.raises(JournalError, match="there is no journal"):
        compare()


def assert_no_process_is_left() -> None:
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
