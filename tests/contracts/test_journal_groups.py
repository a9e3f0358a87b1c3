"""The files of a presign call have one row together until they settle. Each then gets its own, whole and once."""

from __future__ import annotations

import contextlib
import secrets
import sqlite3
import traceback
from collections.abc import Sequence
from pathlib import Path

import pytest
from journal_world import (
    NOW,
    ROOT,
    THERE,
    a_ticket,
    an_item,
    ask,
    found,
    found_by_readers,
    identity,
    journal_0_1_0,
    killed,
    problem,
    raw_bytes,
    receipt_of,
    rows,
    running,
    upload_one,
)

from bulkup.journal import Claim, Holder, Journal, Reader, prune, prune_dry_run, read_only_view
from bulkup.journal.database import open_for_writing
from bulkup.journal.error_mapping import DamagedJournalError
from bulkup.journal.reader import ReaderOptions
from bulkup.model.files import Digest, Place, Source
from bulkup.model.items import Group, Item, Outcome
from bulkup.model.states import FileState
from bulkup.model.tickets import Ticket


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "journal.sqlite3"


def items(source: Source, count: int) -> list[Item]:
    return [an_item(source, b"%d.mp4" % number) for number in range(count)]


async def take_tickets(journal: Journal, group: Sequence[Item], signature: str = "SIGNATURE") -> Group:
    """Record a call for these files and its answer."""
    asked = await ask(journal, *group)
    for item in group:
        item.ticket = a_ticket(f"id-{item.file.path.decode()}", signature=signature)
    await journal.ticketed(asked, [item.ticket for item in group])
    return asked


def uploaded(*settled: Item) -> list[Outcome]:
    for item in settled:
        item.receipt = receipt_of(item)
    return [Outcome(item, FileState.UPLOADED) for item in settled]


def tables(path: Path) -> dict[str, int]:
    """Return how many rows the tables have."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        names = ("files", "tickets", "presign_groups", "orphans")
        return {name: connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in names}


def live_ids(path: Path) -> set[str | None]:
    with Reader(str(path)) as reader:
        return {row.remote_id for row in reader.interrupted()}


async def test_a_group_has_one_row_and_a_file_is_written_once(path: Path) -> None:
    """No row of a file is changed on its way to its end."""
    connection = open_for_writing(str(path))
    async with running(path, connection=connection) as (journal, (source,)):
        group = items(source, 3)
        written: list[str] = []
        connection.set_trace_callback(written.append)
        await take_tickets(journal, group)
        assert tables(path) == {"files": 0, "tickets": 0, "presign_groups": 1, "orphans": 0}
        await journal.settled(uploaded(*group), NOW)
        connection.set_trace_callback(None)
        assert tables(path) == {"files": 3, "tickets": 0, "presign_groups": 0, "orphans": 0}
    writes = [sql.split()[:3] for sql in written if sql.split()[0] in ("INSERT", "UPDATE", "DELETE")]
    assert writes == [
        ["INSERT", "INTO", "presign_groups"],
        ["UPDATE", "presign_groups", "SET"],
        ["INSERT", "INTO", "files"],
        ["DELETE", "FROM", "presign_groups"],
    ]


async def test_readers_see_the_files_of_a_group(path: Path) -> None:
    """As if each had a row of its own, page by page, while files settle and groups come and go."""
    async with running(path) as (journal, (source,)):
        await upload_one(journal, an_item(source, b"0.mp4"), a_ticket("former"))
        group = items(source, 4)
        await take_tickets(journal, group)
        await ask(journal, an_item(source, b"asked.mp4", digest=Digest(b"d" * 16)))
        await journal.settled(uploaded(group[2]), NOW)
        with Reader(str(path), options=ReaderOptions(rows_per_page=2)) as reader:
            before = {row.path: (row.status, row.remote_id) for row in reader.manifest()}
            status = reader.status().files
            await journal.settled([*uploaded(group[0]), Outcome(group[1], FileState.FAILED, problem())], NOW)
            after = {row.path: (row.status, row.remote_id, row.error) for row in reader.manifest()}
            await journal.settled(uploaded(group[3]), NOW)
            last = reader.status().files
    ticketed, done = FileState.TICKETED, FileState.UPLOADED
    assert before == {
        b"0.mp4": (ticketed, "former"),  # the id of the last upload stays
        b"1.mp4": (ticketed, None),
        b"2.mp4": (done, "id-2.mp4"),
        b"3.mp4": (ticketed, None),
        b"asked.mp4": (FileState.ASKED, None),
    }
    assert status == {ticketed: 3, done: 1, FileState.ASKED: 1}
    assert after == {
        b"0.mp4": (done, "id-0.mp4", None),
        b"1.mp4": (FileState.FAILED, None, "it broke"),
        b"2.mp4": (done, "id-2.mp4", None),
        b"3.mp4": (ticketed, None, None),
        b"asked.mp4": (FileState.ASKED, None, None),
    }
    assert last == {done: 3, FileState.FAILED: 1, FileState.ASKED: 1}


async def test_the_next_run_after_a_kill_has_the_tickets_of_unsettled_files(path: Path, tmp_path: Path) -> None:
    """Settled files stay settled, and a call without an answer counts its files as unknown ids."""
    async with running(path) as (journal, (source,)):
        group = items(source, 4)
        tickets = [item.ticket for item in (await take_tickets(journal, group)).items]
        await ask(journal, an_item(source, b"asked 1"), an_item(source, b"asked 2"))
        await journal.settled([*uploaded(group[0]), Outcome(group[1], FileState.FAILED, problem())], NOW)
        after_kill = killed(path, tmp_path / "killed")
    assert live_ids(after_kill) == {"id-2.mp4", "id-3.mp4", None}
    async with running(after_kill, now=NOW + 1) as (journal, (source,)):
        known = [found(journal, item) for item in items(source, 4)]
        states = rows(after_kill)
    assert [row and row.state for row in known] == [
        FileState.UPLOADED,
        FileState.FAILED,
        FileState.TICKETED,
        FileState.TICKETED,
    ]
    assert [row and row.ticket for row in known] == [None, None, tickets[2], tickets[3]]
    assert states[b"asked 1"] == states[b"asked 2"] == FileState.PENDING
    with Reader(str(after_kill)) as reader:
        assert [(row.remote_id, row.count) for row in reader.orphans()] == [("id-1.mp4", 1), (None, 2)]


async def test_of_two_groups_with_a_file_the_later_counts(path: Path, tmp_path: Path) -> None:
    """A renewed file is in both. Its first ticket is an orphan, also after a kill."""
    async with running(path) as (journal, (source,)):
        first, second = items(source, 2)
        await take_tickets(journal, [first, second])
        assert first.ticket is not None
        again = Group([first])
        await journal.asked(again, [(first, first.ticket)], NOW)
        while_asked = killed(path, tmp_path / "asked")
        renewed = a_ticket("renewed")
        await journal.ticketed(again, [renewed])
        answered = killed(path, tmp_path / "answered")
        first.ticket = renewed
        await journal.settled(uploaded(first), NOW)
        done = killed(path, tmp_path / "done")
        assert tables(path)["presign_groups"] == 1
    expected: list[tuple[Path, FileState, Ticket | None]] = [
        (while_asked, FileState.PENDING, None),
        (answered, FileState.TICKETED, renewed),
        (done, FileState.UPLOADED, None),
    ]
    for place, state, ticket in expected:
        async with running(place, now=NOW + 1) as (journal, (source,)):
            known = found(journal, items(source, 1)[0])
        assert known is not None
        assert (known.state, known.ticket) == (state, ticket)
        with Reader(str(place)) as reader:
            assert [row.remote_id for row in reader.orphans() if row.remote_id] == ["id-0.mp4"]
        assert live_ids(place) == {"id-1.mp4", *([renewed.remote_id] if ticket else [])}


async def test_a_closed_journal_has_only_tickets_of_unsettled_files(path: Path) -> None:
    """Until then the row of a group has the tickets of all its files. A finished run leaves none."""
    signatures = [secrets.token_hex(20) for _ in range(3)]
    async with running(path) as (journal, (source,)):
        group = items(source, 3)
        asked = await ask(journal, *group)
        for item, signature in zip(group, signatures, strict=True):
            item.ticket = a_ticket(item.file.name, signature=signature)
        await journal.ticketed(asked, [item.ticket for item in group])
        await journal.settled([*uploaded(group[0]), Outcome(group[1], None)], NOW)
    left = raw_bytes(path.parent)
    assert [signature.encode() in left for signature in signatures] == [False, True, True]
    assert tables(path) == {"files": 3, "tickets": 2, "presign_groups": 0, "orphans": 0}
    async with running(path, now=NOW + 1) as (journal, (source,)):
        await journal.end_run(now=NOW, exit_code=0, summary={}, finished=True)
    left = raw_bytes(path.parent)
    assert [signature.encode() in left for signature in signatures] == [False, False, False]


async def test_a_rejected_file_is_no_unknown_id(path: Path, tmp_path: Path) -> None:
    """Its call was answered, also if the run is killed before it is settled."""
    async with running(path) as (journal, (source,)):
        good, bad = items(source, 2)
        await journal.ticketed(await ask(journal, good, bad), [a_ticket("good"), None])
        after_kill = killed(path, tmp_path / "killed")
    assert rows(after_kill) == {b"0.mp4": FileState.TICKETED, b"1.mp4": FileState.PENDING}
    async with running(after_kill, now=NOW + 1):
        pass
    with Reader(str(after_kill)) as reader:
        assert list(reader.orphans()) == []


async def test_a_file_with_a_closing_call_leaves_its_group_with_the_receipt(path: Path, tmp_path: Path) -> None:
    """From then on its ticket has no secret, whatever becomes of the group."""
    signature = secrets.token_hex(20)
    async with running(path) as (journal, (source,)):
        item = an_item(source)
        await take_tickets(journal, [item], signature)
        item.receipt = receipt_of(item)
        await journal.stored([item])
        assert tables(path) == {"files": 1, "tickets": 1, "presign_groups": 0, "orphans": 0}
        after_kill = killed(path, tmp_path / "killed")
    async with running(after_kill, now=NOW + 1) as (journal, (source,)):
        known = found(journal, an_item(source))
    assert known is not None
    assert (known.state, known.receipt) == (FileState.STORED, item.receipt)
    assert signature.encode() not in raw_bytes(after_kill.parent)


async def test_a_preview_sees_groups(path: Path) -> None:
    """With their tickets and places, so that it decides as the next run will."""
    async with running(path) as (journal, (source,)):
        item = an_item(source, place=Place("main", exclusive=True))
        await journal.claim([Claim("main", (source.id, item.file.path), item.file.full_path)])
        await take_tickets(journal, [item])
        known = found_by_readers(journal, item)
        with read_only_view(str(path), THERE, [Source(ROOT)]) as view:
            other = an_item(source, b"b.mp4").file
            claim = Claim("main", (source.id, other.path), other.full_path)
            with contextlib.closing(sqlite3.connect(path)) as connection:
                assert connection.execute("SELECT count(*) FROM files").fetchone() == (0,)
            lookup = view.lookup
            assert lookup is not None
            compared = lookup.compare(view.sources[0], {item.file.path: item.file.identity}, NOW)
            holder = view.places.claim(claim, Holder(ROOT, other.path))
    assert known is not None
    assert (known.state, known.ticket, known.place) == (FileState.TICKETED, item.ticket, "main")
    assert compared.others == [item.file.path]
    assert holder is not None
    assert holder.path == item.file.path


async def test_pruning_unfolds_the_groups_of_a_killed_run(path: Path, tmp_path: Path) -> None:
    """Its files keep their tickets and places, also those that an old run had failed to upload."""
    async with running(path) as (journal, (source,)):
        await journal.settled([Outcome(an_item(source, b"0.mp4"), FileState.FAILED, problem())], NOW)
        await journal.settled([Outcome(an_item(source, b"gone"), FileState.FAILED, problem())], NOW)
        await journal.end_run(now=NOW, exit_code=1, summary={}, finished=True)
    later = NOW + 1e6
    async with running(path, now=later) as (journal, (source,)):
        await journal.claim([Claim("main", (source.id, b"0.mp4"), b"/data/media/0.mp4")])
        await take_tickets(journal, items(source, 2))
        after_kill = killed(path, tmp_path / "killed")
    planned = prune_dry_run(str(after_kill), later - 1)
    pruned = await prune(str(after_kill), later - 1)
    assert (planned.files, planned.runs) == (pruned.files, pruned.runs) == (1, 1)
    assert rows(after_kill) == {b"0.mp4": FileState.TICKETED, b"1.mp4": FileState.TICKETED}
    assert live_ids(after_kill) == {"id-0.mp4", "id-1.mp4"}
    with contextlib.closing(sqlite3.connect(after_kill)) as connection:
        assert connection.execute("SELECT name FROM places").fetchall() == [("main",)]


async def test_a_run_on_an_earlier_journal_is_killed(tmp_path: Path) -> None:
    """The migrated rows and the groups of the new run are both there for the next one."""
    path = tmp_path / "journal.sqlite3"
    journal_0_1_0(path)
    before = rows(path)
    async with running(path, now=NOW + 60) as (journal, (source,)):
        failed = an_item(source, b"failed.mp4", identity=identity(mtime=5))
        await take_tickets(journal, [failed, an_item(source, b"new.mp4")])
        after_kill = killed(path, tmp_path / "killed")
    expected = {name: FileState.PENDING if state == "asked" else state for name, state in before.items()}
    expected |= {b"failed.mp4": FileState.TICKETED, b"new.mp4": FileState.TICKETED}
    assert rows(after_kill) == expected
    async with running(after_kill, now=NOW + 120) as (journal, (source,)):
        known = {name: found(journal, an_item(source, name)) for name in (b"failed.mp4", b"new.mp4", b"ticketed.mp4")}
    assert {name: row and row.ticket and row.ticket.remote_id for name, row in known.items()} == {
        b"failed.mp4": "id-failed.mp4",
        b"new.mp4": "id-new.mp4",
        b"ticketed.mp4": "id-ticketed",
    }


async def test_a_damaged_number_of_the_last_group(path: Path) -> None:
    """The text of the damage is not repeated."""
    async with running(path) as (journal, (source,)):
        await take_tickets(journal, items(source, 2))
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE sqlite_sequence SET seq = 'a text' WHERE name = 'presign_groups'")
    with pytest.raises(DamagedJournalError) as caught:
        async with running(path):
            pass
    assert "a text" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("bit", range(8))
@pytest.mark.parametrize("where", ["https://store.example/", "SECRET-OF-THE-TICKET", "id-0.mp4", '"method"', "[[1,"])
async def test_a_flipped_bit_in_a_group(path: Path, tmp_path: Path, where: str, bit: int) -> None:
    """It is damage for readers and at the start of a run, before anything is written. No error has a byte of it."""
    async with running(path) as (journal, (source,)):
        await take_tickets(journal, items(source, 2), "SECRET-OF-THE-TICKET")
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        after_kill = killed(path, tmp_path / "killed")
    content = bytearray(after_kill.read_bytes())
    content[content.index(where.encode()) + len(where) // 2] ^= 1 << bit
    after_kill.write_bytes(content)

    def preview() -> None:
        with read_only_view(str(after_kill), THERE, [Source(ROOT)]):
            pass

    def start() -> None:
        open_for_writing(str(after_kill)).close()

    for use in (start, preview):
        with pytest.raises(DamagedJournalError, match="is damaged") as raised:
            use()
        text = "".join(traceback.format_exception(raised.value))
        assert "OF-THE" not in text
        assert "store.example" not in text
    assert after_kill.read_bytes() == content
    (copy,) = after_kill.parent.glob("*.damaged-*")
    assert copy.read_bytes() == content
