"""Rows of the parts of files: kept over a kill, of one upload only, and erased with the ticket."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest
from journal_world import NOW, a_ticket, an_item, found, killed, receipt_of, rows, running, take_ticket

from bulkup.journal import Journal, Reader
from bulkup.journal.database import migrate, migrations
from bulkup.model.files import Digest
from bulkup.model.items import Item, Outcome
from bulkup.model.problems import Problem, ProblemKind
from bulkup.model.states import FileState
from bulkup.model.tickets import PartPlan, SentPart, Ticket

PLAN = PartPlan(10, 3, "key")
FIRST = SentPart(1, "e1", Digest(b"1" * 16), verified=True)
THIRD = SentPart(3, None, Digest(b"3" * 32, "sha256"), verified=False)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite3"


def a_ticket_in_parts(name: str = "key?uploadId=1") -> Ticket:
    return a_ticket(name)._replace(expires_at=None, parts=PLAN)


def kept_rows(path: Path) -> int:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("SELECT count(*) FROM parts").fetchone()[0])


async def with_two_parts(journal: Journal, item: Item, ticket: Ticket) -> None:
    await take_ticket(journal, item, ticket)
    item.ticket = ticket
    await journal.part_sent(item, ticket, THIRD)
    await journal.part_sent(item, ticket, FIRST)


async def test_parts_are_there_after_a_kill(path: Path, tmp_path: Path) -> None:
    async with running(path) as (journal, (source,)):
        item = an_item(source, b"large")
        await with_two_parts(journal, item, a_ticket_in_parts())
        left = killed(path, tmp_path / "left")
    async with running(left) as (journal, (source,)):
        known = found(journal, an_item(source, b"large"))
        assert known is not None
        assert known.state is FileState.TICKETED
        assert known.ticket is not None
        assert known.ticket.parts == PLAN
        assert known.parts == (FIRST, THIRD)


async def test_parts_of_another_upload_do_not_count(path: Path) -> None:
    async with running(path) as (journal, (source,)):
        item = an_item(source, b"large")
        await with_two_parts(journal, item, a_ticket_in_parts())
    async with running(path) as (journal, (source,)):
        item = an_item(source, b"large")
        item.ticket = a_ticket_in_parts()
        await take_ticket(journal, item, a_ticket_in_parts("key?uploadId=2"))
    async with running(path) as (journal, (source,)):
        known = found(journal, an_item(source, b"large"))
        assert known is not None
        assert known.parts == ()


async def test_a_stored_file_has_its_parts_for_the_closing_call(path: Path) -> None:
    async with running(path) as (journal, (source,)):
        item = an_item(source, b"large")
        await with_two_parts(journal, item, a_ticket_in_parts())
        item.receipt = receipt_of(item)._replace(digest=None)
        await journal.stored([item])
    async with running(path) as (journal, (source,)):
        known = found(journal, an_item(source, b"large"))
        assert known is not None
        assert known.receipt is not None
        assert known.ticket is not None
        assert (known.state, known.receipt.parts) == (FileState.STORED, (FIRST, THIRD))
        assert (known.ticket.parts, known.ticket.url.reveal()) == (PLAN, "")


async def test_an_uploaded_file_has_the_id_of_the_object_and_no_parts(path: Path) -> None:
    async with running(path) as (journal, (source,)):
        item = an_item(source, b"large")
        await with_two_parts(journal, item, a_ticket_in_parts())
        item.receipt = receipt_of(item)
        await journal.settled([Outcome(item, FileState.UPLOADED)], NOW)
        assert kept_rows(path) == 0
        with Reader(str(path)) as reader:
            assert [row.remote_id for row in reader.manifest()] == ["key"]
            assert list(reader.orphans()) == []


@pytest.mark.parametrize("creates_ids", [True, False])
async def test_an_upload_that_is_given_up_is_an_orphan(path: Path, creates_ids: bool) -> None:
    """Also of a provider whose other tickets leave nothing behind."""
    async with running(path, creates_ids=creates_ids) as (journal, (source,)):
        item = an_item(source, b"large")
        await with_two_parts(journal, item, a_ticket_in_parts())
        await journal.settled([Outcome(item, FileState.FAILED, Problem(ProblemKind.FAILED, "no"))], NOW)
        assert kept_rows(path) == 0
        with Reader(str(path)) as reader:
            assert [row.remote_id for row in reader.orphans()] == ["key?uploadId=1"]
        await journal.deleted(a_ticket_in_parts())
        with Reader(str(path)) as reader:
            assert list(reader.orphans()) == []


async def test_a_finished_run_makes_orphans_of_uploads_without_a_file(path: Path) -> None:
    async with running(path, creates_ids=False) as (journal, (source,)):
        for name, ticket in ((b"large", a_ticket_in_parts()), (b"small", a_ticket("small"))):
            item = an_item(source, name)
            await take_ticket(journal, item, ticket)
            if ticket.parts is not None:
                await journal.part_sent(item, ticket, FIRST)
    async with running(path, creates_ids=False) as (journal, _):
        await journal.end_run(now=NOW, exit_code=0, summary={}, finished=True)
        assert kept_rows(path) == 0
        with Reader(str(path)) as reader:
            assert [row.remote_id for row in reader.orphans()] == ["key?uploadId=1"]
    assert rows(path) == {b"large": FileState.PENDING, b"small": FileState.PENDING}


async def test_a_journal_of_version_6_gets_the_table(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        migrate(connection, migrations()[:6])
    async with running(path) as (journal, (source,)):
        await with_two_parts(journal, an_item(source, b"large"), a_ticket_in_parts())
    assert kept_rows(path) == 2
