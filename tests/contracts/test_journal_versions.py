"""Journals of earlier versions: a run migrates them, a dry run only reads them, and their tickets are usable."""

from __future__ import annotations

import contextlib
import json
import sqlite3
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
    journal_of_dump,
    receipt_of,
    rows,
    running,
    take_ticket,
)

from bulkup.helpers.secrets import Secret, SecretUrl
from bulkup.journal import Claim, Destination, Holder, KnownFile, Reader, ReadOnlyView, read_only_view
from bulkup.journal.database import migrate, migrations, open_for_writing
from bulkup.journal.ticket_text import dump, load
from bulkup.model.files import Source
from bulkup.model.items import Outcome
from bulkup.model.states import FileState
from bulkup.model.tickets import Ticket

OLD_TICKET = {
    "url": "https://store.example/k?Signature=s",
    "method": "PUT",
    "headers": {"x-plain": "yes", "x-secret": {"secret": "s"}},
    "remote": {"id": "remote-t"},
    "content_md5": True,
}
STATES = ("uploaded", "ticketed", "stored", "failed", "asked", "pending")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A journal of version 1, created by its own script, with a file in each of several states."""
    path = tmp_path / "journal.sqlite3"
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        migrate(connection, migrations()[:1])
        connection.execute("INSERT INTO destinations VALUES (1, ?, ?, ?)", (THERE.provider, THERE.base_url, ""))
        connection.execute("INSERT INTO sources VALUES (1, ?)", (ROOT,))
        connection.execute("INSERT INTO runs VALUES (1, 'run-1', 1, ?, 1.0, NULL, NULL, NULL)", (json.dumps(["2f"]),))
        for state in STATES:
            done = state in ("uploaded", "stored")
            connection.execute(
                "INSERT INTO files VALUES (1, 1, ?, ?, 3, 1, 1, 1, 1, ?, ?, '{}', 'e', 1, 1, NULL, ?, NULL, 1)",
                (state.encode(), state, b"m" * 16, "remote-u" if state == "uploaded" else None, NOW if done else None),
            )
        for name in ("ticketed", "stored"):
            row = (name.encode(), "remote-t", NOW + 900, json.dumps(OLD_TICKET))
            connection.execute("INSERT INTO tickets VALUES (1, 1, ?, ?, ?, ?)", row)
    return path


def version_of(path: Path) -> int:
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def columns_of(path: Path) -> dict[str, list[tuple[str, str, int, int]]]:
    """Return name, type, null constraint and place in the key of each column, by table or index."""
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master ORDER BY name")]
        query = 'SELECT name, type, "notnull", pk FROM pragma_table_xinfo(?)'
        return {name: connection.execute(query, (name,)).fetchall() for name in names}


def known_to(look: ReadOnlyView, names: Sequence[str]) -> list[KnownFile | None]:
    assert look.lookup is not None
    return look.lookup.find([an_item(look.sources[0], name.encode()).file for name in names])


async def test_a_run_migrates_a_journal_and_keeps_its_rows(path: Path) -> None:
    """Files, tickets and runs. It has no places, so none is held."""
    async with running(path) as (journal, (source,)):
        assert source.id == 1
        uploaded, ticketed, stored = (found(journal, an_item(source, name.encode())) for name in STATES[:3])
    assert version_of(path) == len(migrations())
    assert rows(path) == {name.encode(): FileState("pending" if name == "asked" else name) for name in STATES}
    assert uploaded is not None
    assert ticketed is not None
    assert stored is not None
    assert (uploaded.state, uploaded.identity, uploaded.place) == (FileState.UPLOADED, identity(), None)
    assert ticketed.ticket == stored.ticket == load(json.dumps(OLD_TICKET), "remote-t", NOW + 900)
    assert stored.receipt is not None
    with Reader(str(path)) as reader:
        assert {row.remote_id for row in reader.manifest()} == {"remote-u", None}
        assert [row.run for row in reader.runs()][-1] == "run-1"


async def test_the_format_is_that_of_the_last_release(tmp_path: Path) -> None:
    """Or it has a migration that leads to the same columns. It needs a line in the changelog."""
    old, new = tmp_path / "old.sqlite3", tmp_path / "new.sqlite3"
    journal_0_1_0(old)
    assert version_of(old) == 4
    for path in (old, new):
        async with running(path):
            pass
    assert version_of(old) == version_of(new) == 10
    assert columns_of(old) == columns_of(new)


async def test_a_run_takes_up_a_journal_of_the_last_release(tmp_path: Path) -> None:
    """Settled rows stay, the live ticket is handed out, and the interrupted call is counted."""
    path = tmp_path / "journal.sqlite3"
    journal_0_1_0(path)
    before = rows(path)
    async with running(path, now=NOW + 60) as (journal, (source,)):
        known = {name: found(journal, an_item(source, name)) for name in before}
    assert rows(path) == {name: FileState.PENDING if state == "asked" else state for name, state in before.items()}
    ticketed = known[b"ticketed.mp4"]
    assert ticketed is not None
    assert ticketed.ticket == a_ticket("id-ticketed", NOW + 900)
    uploaded = known[b"uploaded.mp4"]
    assert uploaded is not None
    assert (uploaded.state, uploaded.kept_until) == (FileState.UPLOADED, NOW + 86400)
    with Reader(str(path)) as reader:
        assert [(orphan.remote_id, orphan.count) for orphan in reader.orphans()] == [
            ("id-renewed-old", 1),
            (None, 5),
            (None, 1),
        ]
        assert [orphan.remote_id for orphan in reader.superseded()] == ["id-superseded-old"]
        assert [run.exit_code for run in reader.runs()] == [None, None, None, 0]


async def test_a_run_closes_a_stored_file_of_the_last_release(tmp_path: Path) -> None:
    """Its receipt, its place and the part of the ticket that the closing call needs are there."""
    path = tmp_path / "journal.sqlite3"
    journal_0_1_0(path)
    there = Destination("xvid", "https://xvid.example", "pipeline-1")
    async with running(path, destination=there) as (journal, (source,)):
        item = an_item(source, b"stored.mp4")
        known = found(journal, item)
        claim = Claim("masters/stored.mp4", (source.id, b"other.mp4"), ROOT + b"/other.mp4")
        assert await journal.claim([claim]) == [Holder(ROOT, b"stored.mp4")]
    assert known is not None
    assert (known.state, known.place) == (FileState.STORED, "masters/stored.mp4")
    assert known.ticket is not None
    assert (known.ticket.remote_id, known.ticket.remote) == ("id-stored", {"id": "id-stored"})
    assert known.receipt is not None
    assert (known.receipt.etag, known.receipt.verified, known.receipt.stored_at) == ("etag", True, NOW)


async def test_a_run_takes_up_the_open_groups_of_version_5(tmp_path: Path) -> None:
    """Each file of a group has the state that the killed run recorded, and the lease that ended is given up."""
    path = tmp_path / "journal.sqlite3"
    journal_of_dump(path, "journal_5.sql")
    assert version_of(path) == 5
    before = {name.decode(): str(state) for name, state in rows(path).items()}
    assert before == {
        "asked.mp4": "asked",
        "failed.mp4": "failed",
        "lapsed.mp4": "ticketed",
        "refused.mp4": "pending",
        "renewed.mp4": "asked",
        "sent.mp4": "uploaded",
        "ticketed-1.mp4": "ticketed",
        "ticketed-2.mp4": "ticketed",
        "uploaded.mp4": "uploaded",
    }
    async with running(path, now=NOW + 60) as (journal, (source,)):
        known = {name: found(journal, an_item(source, name.encode())) for name in before}
    tickets = {name: row.ticket for name, row in known.items() if row is not None and row.ticket is not None}
    assert tickets == {f"ticketed-{n}.mp4": a_ticket(f"id-ticketed-{n}", NOW + 900) for n in (1, 2)}
    after = {name.decode(): str(state) for name, state in rows(path).items()}
    given_up = dict.fromkeys(("asked.mp4", "renewed.mp4", "lapsed.mp4"), "pending")
    assert after == before | given_up
    with Reader(str(path)) as reader:
        assert sorted((orphan.remote_id or "", orphan.count) for orphan in reader.orphans()) == [
            ("", 2),  # the call without an answer
            ("id-failed", 1),
            ("id-lapsed", 1),
            ("id-renewed", 1),
        ]
        assert {row.path: row.kept_until for row in reader.manifest()}[b"sent.mp4"] == NOW + 86400


async def test_a_run_closes_a_stored_file_in_an_open_group_of_version_5(tmp_path: Path) -> None:
    """It has a row of its own, and so has the uploaded file. The third still has the ticket in the group's row."""
    path = tmp_path / "journal.sqlite3"
    journal_of_dump(path, "journal_5_closing.sql")
    there = Destination("xvid", "https://xvid.example", "pipeline-1")
    async with running(path, destination=there, now=NOW + 60) as (journal, (source,)):
        known = {name: found(journal, an_item(source, name.encode())) for name in ("stored.mp4", "waiting.mp4")}
        claim = Claim("masters/stored.mp4", (source.id, b"other.mp4"), ROOT + b"/other.mp4")
        assert await journal.claim([claim]) == [Holder(ROOT, b"stored.mp4")]
    stored, waiting = known["stored.mp4"], known["waiting.mp4"]
    assert stored is not None
    assert waiting is not None
    assert (stored.state, waiting.state) == (FileState.STORED, FileState.TICKETED)
    assert stored.receipt is not None
    assert stored.ticket is not None
    assert (stored.ticket.remote_id, bool(stored.ticket.url)) == ("id-stored", False)
    assert waiting.ticket == a_ticket("id-waiting", NOW + 900)
    assert rows(path)[b"done.mp4"] == FileState.UPLOADED
    assert rows(path)[b"asked.mp4"] == FileState.PENDING


def test_a_ticket_of_an_earlier_version_has_neither_form_nor_parts() -> None:
    """Such tickets were PUT requests to one URL."""
    ticket = load(json.dumps(OLD_TICKET), "remote-t", None)
    assert (ticket.form, ticket.more_urls) == (None, ())
    assert ticket.headers == {"x-plain": "yes", "x-secret": Secret("s")}
    assert ticket.content_md5


@pytest.mark.parametrize(
    "ticket",
    [
        a_ticket("plain"),
        a_ticket("form")._replace(method="POST", form=(("name", Secret("")), ("key", Secret("k \u00e9\r\n\x00")))),
        a_ticket("empty form")._replace(form=()),
        a_ticket("parts")._replace(more_urls=tuple(SecretUrl(f"https://s.example/{n}?s={n}") for n in range(3))),
    ],
    ids=lambda ticket: ticket.remote_id,
)
async def test_a_ticket_is_read_back_unchanged(tmp_path: Path, ticket: Ticket) -> None:
    """With its form in order and all its URLs, from text and from the journal."""
    assert load(dump(ticket), ticket.remote_id, ticket.expires_at) == ticket
    async with running(tmp_path / "new.sqlite3") as (journal, (source,)):
        item = an_item(source)
        await take_ticket(journal, item, ticket)
        known = found_by_readers(journal, item)
    assert known is not None
    assert known.ticket == ticket
    assert (known.ticket.form, known.ticket.more_urls) == (ticket.form, ticket.more_urls)


async def test_a_dry_run_does_not_change_a_journal_of_an_earlier_version(path: Path) -> None:
    """Its rows can be read, places can be claimed for the dry run, and no byte of it changes."""
    before = path.read_bytes()
    with read_only_view(str(path), THERE, [Source(ROOT), Source(b"/other")]) as look:
        assert [source.id for source in look.sources] == [1, 0]
        known = known_to(look, [*STATES, "nobody"])
        assert [row and row.state for row in known] == [*(FileState(state) for state in STATES), None]
        assert {row.place for row in known if row is not None} == {None}
        first, second = Holder(ROOT, b"a"), Holder(ROOT, b"b")
        assert look.places.claim(Claim("MAIN", (1, b"a"), ROOT + b"/" + b"a"), first) is None
        assert look.places.claim(Claim("MAIN", (1, b"b"), ROOT + b"/" + b"b"), second) == first
        assert look.places.claim(Claim("other", (1, b"b"), ROOT + b"/" + b"b"), second) is None
    assert version_of(path) == 1
    assert path.read_bytes() == before


@pytest.mark.parametrize("there", [True, False])
def test_a_dry_run_without_rows(path: Path, there: bool) -> None:
    """For another destination or without a journal: no rows, no new file, and claims still work."""
    missing = path.with_name("none.sqlite3")
    with read_only_view(str(path if there else missing), Destination("xvid", "https://x"), [Source(ROOT)]) as look:
        assert look.lookup is None
        assert look.places.claim(Claim("k", (1, b"a"), ROOT + b"/" + b"a"), Holder(ROOT, b"a")) is None
        assert look.places.claim(Claim("k", (1, b"b"), ROOT + b"/" + b"b"), Holder(ROOT, b"b")) == Holder(ROOT, b"a")
    assert not missing.exists()


async def test_the_last_answer_about_a_stored_file_is_kept(tmp_path: Path) -> None:
    """Its closing call is not finished: the manifest has the answer, and the next run continues."""
    path = tmp_path / "new.sqlite3"
    async with running(path) as (journal, (source,)):
        stored, ticketed = an_item(source, b"stored"), an_item(source, b"ticketed")
        group = await ask(journal, stored, ticketed)
        for item in (stored, ticketed):
            item.ticket = a_ticket(item.file.name)
        await journal.ticketed(group, [stored.ticket, ticketed.ticket])
        stored.receipt = receipt_of(stored)
        await journal.stored([stored])
        told = {"status": "COMPLETING"}
        await journal.settled([Outcome(stored, None, remote=told), Outcome(ticketed, None, remote=told)], NOW)
        known = found(journal, stored)
    assert known is not None
    assert (known.state, known.receipt) == (FileState.STORED, stored.receipt)
    assert known.ticket is not None
    assert stored.ticket is not None
    assert (known.ticket.remote_id, known.ticket.remote) == (stored.ticket.remote_id, stored.ticket.remote)
    assert not known.ticket.url  # storage has the bytes: the rest of the ticket has no URL
    with Reader(str(path)) as reader:
        told_of = {row.path: row.remote for row in reader.manifest()}
    assert told_of == {b"stored": {"id": "stored", "status": "COMPLETING"}, b"ticketed": {}}


@pytest.mark.parametrize("end", [None, 42.0])
async def test_the_provider_computes_the_deletion_time(tmp_path: Path, end: float | None) -> None:
    """From the time at which storage accepted the file. None stands for an unknown time."""
    asked = list[float]()

    def kept_until(stored_at: float) -> float | None:
        asked.append(stored_at)
        return end

    path = tmp_path / "new.sqlite3"
    async with running(path, kept_until=kept_until) as (journal, (source,)):
        item = an_item(source, ticket=a_ticket("remote-1"))
        await ask(journal, item)
        item.receipt = receipt_of(item)._replace(stored_at=NOW + 5)
        await journal.settled([Outcome(item, FileState.UPLOADED)], NOW + 99)
    with Reader(str(path)) as reader:
        assert [row.kept_until for row in reader.manifest()] == [end]
    assert asked == [NOW + 5]


def test_an_interrupted_migration(path: Path, tmp_path: Path) -> None:
    """Wherever its log is cut, the next run migrates the journal to the newest version with all rows."""
    query = "SELECT path, state, size, md5, remote_id FROM files ORDER BY path"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        before = connection.execute(query).fetchall()
    log = path.with_name(path.name + "-wal")
    with contextlib.closing(open_for_writing(str(path))):
        file, written = path.read_bytes(), log.read_bytes()
    versions = set()
    for end in (*range(0, len(written), 2048), len(written)):  # in every frame, and at the end of all
        place = tmp_path / f"cut-{end}.sqlite3"
        place.write_bytes(file)
        place.with_name(place.name + "-wal").write_bytes(written[:end])
        versions.add(version_of(place))
        with contextlib.closing(open_for_writing(str(place))) as connection:
            assert connection.execute(query).fetchall() == before
        assert version_of(place) == len(migrations())
    assert versions == set(range(1, len(migrations()) + 1))
