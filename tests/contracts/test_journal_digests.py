"""Digests of other algorithms than MD5, and destinations where a presign call creates no ids."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest
from journal_world import (
    NOW,
    a_ticket,
    an_item,
    ask,
    found,
    found_by_readers,
    killed,
    receipt_of,
    running,
    take_ticket,
    upload_one,
)

from bulkup.journal import Journal, Reader
from bulkup.journal.error_mapping import DamagedJournalError
from bulkup.model.files import DIGEST_BYTES, Algorithm, Digest
from bulkup.model.items import Group, Item, Outcome
from bulkup.model.states import FileState

EVERY = sorted(DIGEST_BYTES)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "journal.sqlite3"


def digest_by(algorithm: Algorithm) -> Digest:
    return Digest(b"d" * DIGEST_BYTES[algorithm], algorithm)


async def settle(journal: Journal, item: Item, digest: Digest) -> None:
    await take_ticket(journal, item, a_ticket("id"))
    item.ticket, item.receipt = a_ticket("id"), receipt_of(item)._replace(digest=digest)
    await journal.settled([Outcome(item, FileState.UPLOADED)], NOW)


@pytest.mark.parametrize("algorithm", EVERY)
async def test_a_digest_keeps_its_algorithm_in_every_state(path: Path, algorithm: Algorithm, tmp_path: Path) -> None:
    """In a row of its own, in a group, and after a kill that left it there."""
    digest = digest_by(algorithm)
    async with running(path) as (journal, (source,)):
        done, pending, grouped = (an_item(source, name, digest=digest) for name in (b"done", b"pending", b"grouped"))
        await settle(journal, done, digest)
        await journal.pending([pending])
        await take_ticket(journal, grouped, a_ticket("grouped"))
        for item in (done, pending):
            known = found(journal, item)
            assert known is not None
            assert known.digest == digest
        in_group = found_by_readers(journal, grouped)
        assert in_group is not None
        assert in_group.digest == digest
        left = killed(path, tmp_path / "killed")
    with Reader(str(left)) as reader:
        rows = {row.path: (row.checksum, row.md5) for row in reader.manifest()}
    md5 = digest.hex if algorithm == "md5" else None
    assert rows == dict.fromkeys((b"done", b"pending", b"grouped"), (digest.text, md5))
    async with running(left) as (journal, _):
        known = found(journal, grouped)
        assert known is not None
        assert (known.state, known.digest) == (FileState.TICKETED, digest)


async def test_a_damaged_digest_is_damage(path: Path) -> None:
    async with running(path) as (journal, (source,)):
        await settle(journal, an_item(source), digest_by("sha256"))
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE files SET md5 = 'sha256:00'")
    async with running(path) as (journal, (source,)):
        with pytest.raises(DamagedJournalError):
            found(journal, an_item(source))
    with Reader(str(path)) as reader, pytest.raises(DamagedJournalError):
        list(reader.manifest())


async def test_tickets_are_recorded_with_their_group_where_no_intent_was(path: Path, tmp_path: Path) -> None:
    """After a kill the next run can use them. A replaced ticket is erased."""
    async with running(path, creates_ids=False) as (journal, (source,)):
        item = an_item(source)
        former = a_ticket("former", signature="OLD-SIGNATURE")
        await journal.issued(Group([item]), [], [former], NOW)
        await journal.issued(Group([item]), [(item, former)], [a_ticket("new")], NOW)
        left = killed(path, tmp_path / "killed")
    async with running(left, creates_ids=False) as (journal, _):
        known = found(journal, item)
        assert known is not None
        assert known.ticket == a_ticket("new")


async def test_without_ids_an_unused_ticket_is_no_orphan(path: Path, tmp_path: Path) -> None:
    """Not when its lease ends, its file fails, or the run ends. A superseded upload is still listed."""
    async with running(path, creates_ids=False) as (journal, (source,)):
        old, failed, expired = (an_item(source, name) for name in (b"old", b"failed", b"expired"))
        await upload_one(journal, old, a_ticket("first"))
        await upload_one(journal, old, a_ticket("second"))
        for item in (failed, expired):
            await journal.issued(Group([item]), [], [a_ticket(item.file.name, NOW + 60)], NOW)
        failed.ticket = a_ticket("failed", NOW + 60)
        await journal.settled([Outcome(failed, FileState.FAILED)], NOW)
        left = killed(path, tmp_path / "killed")
        await journal.end_run(now=NOW, exit_code=0, summary={}, finished=True)
        with Reader(journal.path) as reader:
            assert list(reader.orphans()) == []
            assert [row.remote_id for row in reader.superseded()] == ["first"]
    async with running(left, now=NOW + 90, creates_ids=False) as (journal, _):
        known = found(journal, expired)
        assert known is not None
        assert (known.state, known.ticket) == (FileState.PENDING, None)
        with Reader(journal.path) as reader:
            assert list(reader.orphans()) == []


async def test_with_ids_they_are_orphans(path: Path) -> None:
    async with running(path) as (journal, (source,)):
        failed = an_item(source, b"failed")
        await journal.ticketed(await ask(journal, failed), [a_ticket("failed")])
        failed.ticket = a_ticket("failed")
        await journal.settled([Outcome(failed, FileState.FAILED)], NOW)
        with Reader(journal.path) as reader:
            assert [row.remote_id for row in reader.orphans()] == ["failed"]
