"""A run resumes with a journal that the last release of bulkup left when it was killed."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import sqlite3
import time
from collections.abc import Mapping
from pathlib import Path

from journal_world import journal_0_1_0, journal_of_dump
from pipeline_world import World, world

from bulkup.api import composition
from bulkup.config import require_credentials
from bulkup.helpers.clock import SystemClock
from bulkup.journal import Reader
from bulkup.journal.digest_column import loaded_digest
from bulkup.journal.group_row import (
    GroupedFile,
    RowNumbers,
    dump_answers,
    dump_files,
    dump_tickets,
    load_files,
    load_tickets,
)
from bulkup.model.files import FoundFile, Identity, Source, stat_of
from bulkup.model.items import Item
from bulkup.model.tickets import Ticket
from bulkup.providers import FileSpec
from bulkup.transport import Transport


async def live_ticket(place: World, name: str) -> Ticket:
    """Ask the server for a ticket, as the killed run did."""
    settings, clock = place.resolved(), SystemClock()
    secrets = require_credentials(settings, {}, profile=None)
    provider = composition.build_provider(settings, place.server.url, secrets, {}, clock)
    spec = FileSpec(name, name, "mp4", (place.source / name).stat().st_size)
    async with Transport(composition.transport_options(settings), clock) as transport:
        (ticket,) = await provider.presign([spec], functools.partial(transport.call, place.server.url))
    assert isinstance(ticket, Ticket)
    return ticket


def adopt_settled(place: World) -> None:
    """Put this machine's folder, server and files into the rows of the dump; their form stays the same."""
    with contextlib.closing(sqlite3.connect(place.journal, isolation_level=None)) as connection:
        connection.execute("UPDATE sources SET root = ?", (bytes(place.source),))
        connection.execute("UPDATE destinations SET base_url = ? WHERE provider = 'magic-hour'", (place.server.url,))
        rows = connection.execute("SELECT path FROM files WHERE destination_id = 1 AND inode <> 0").fetchall()
        for (path,) in rows:
            file = place.source / path.decode()
            md5 = hashlib.md5(file.read_bytes(), usedforsecurity=False).digest()
            connection.execute(
                """UPDATE files SET size = ?, mtime_ns = ?, ctime_ns = ?, inode = ?, device = ?,
                   md5 = iif(md5 IS NULL, NULL, ?) WHERE path = ?""",
                (*stat_of(file.stat()), md5, path),
            )


def adopt(place: World, ticket: Ticket) -> None:
    """Put this machine's folder, server, files and ticket into the rows of the dump."""
    adopt_settled(place)
    with contextlib.closing(sqlite3.connect(place.journal, isolation_level=None)) as connection:
        (text,) = connection.execute("SELECT ticket FROM tickets WHERE destination_id = 1").fetchone()
        headers = {name: str(value) for name, value in ticket.headers.items()}
        changes = {"url": ticket.url.reveal(), "headers": headers, "remote": ticket.remote}
        kept = json.dumps({**json.loads(text), **changes, "content_md5": ticket.content_md5})
        query = "UPDATE tickets SET ticket = ?, remote_id = ?, expires_at = ? WHERE destination_id = 1"
        connection.execute(query, (kept, ticket.remote_id, time.time() + 600))


async def test_a_run_resumes_with_the_journal_of_the_last_release(tmp_path: Path) -> None:
    """Uploaded files are skipped, the live ticket is used, and all others are uploaded with new tickets."""
    async with world(tmp_path) as place:
        place.journal.parent.mkdir()
        journal_0_1_0(place.journal)
        with contextlib.closing(sqlite3.connect(place.journal)) as connection:
            query = "SELECT path FROM files WHERE destination_id = 1"
            names = [path.decode() for (path,) in connection.execute(query)]
        place.write({name: name.encode() for name in names})
        ticket = await live_ticket(place, "ticketed.mp4")
        adopt(place, ticket)
        summary = await place.run(concurrency=1)
        counters = summary.counters
        assert (counters.skipped, counters.uploaded, counters.rejected) == (3, 7, 1)
        assert (counters.reused_tickets, counters.presign_files) == (1, 6)
        ids = {row.path: row.remote_id for row in place.manifest()}
        assert ids[b"ticketed.mp4"] == ticket.remote_id
        assert ids[b"uploaded.mp4"] == "id-uploaded"
        sent = [row for row in place.manifest() if row.uploaded_at and not (row.remote_id or "id-").startswith("id-")]
        assert len(sent) == 7
        assert all(place.stored(row) == row.path for row in sent)


def adopt_groups(place: World, live: Mapping[str, Ticket]) -> None:
    """Put this machine's files and the live tickets into the rows of the groups; their form stays the same."""
    with contextlib.closing(sqlite3.connect(place.journal, isolation_level=None)) as connection:
        columns = "id, destination_id, run_id, files, answers, tickets"
        for *numbers, files, answers, tickets in connection.execute(f"SELECT {columns} FROM presign_groups").fetchall():
            row = RowNumbers(*numbers)
            grouped = load_files(row, files, answers)
            items = [item_here(place, file) for file in grouped]
            connection.execute("UPDATE presign_groups SET files = ? WHERE id = ?", (dump_files(row, items), row.group))
            if answers is None:
                continue
            known = load_tickets(row, grouped, answers, tickets)
            now = [live.get(file.path.decode(), ticket) for file, ticket in zip(grouped, known, strict=True)]
            answers = dump_answers(row, now)
            texts = (answers, dump_tickets(row, now, answers), row.group)
            connection.execute("UPDATE presign_groups SET answers = ?, tickets = ? WHERE id = ?", texts)


def item_here(place: World, file: GroupedFile) -> Item:
    """Return the file of a group with the identity that it has on this machine."""
    identity = Identity(*stat_of((place.source / file.path.decode()).stat()))
    source = Source(bytes(place.source), id=file.source_id)
    return Item(FoundFile(source, file.path, identity), digest=loaded_digest(file.md5))


async def test_a_run_resumes_with_open_groups_of_version_5(tmp_path: Path) -> None:
    """Files that settled before the kill are skipped, live tickets are used, and all others get new ones."""
    async with world(tmp_path) as place:
        place.journal.parent.mkdir()
        journal_of_dump(place.journal, "journal_5.sql")
        names = [row.path.decode() for row in place.manifest()]
        place.write({name: name.encode() for name in names})
        live = {name: await live_ticket(place, name) for name in ("ticketed-1.mp4", "ticketed-2.mp4")}
        adopt_settled(place)
        adopt_groups(place, live)
        counters = (await place.run(concurrency=1)).counters
        assert (counters.skipped, counters.uploaded, counters.failed) == (2, 7, 0)
        assert (counters.reused_tickets, counters.presign_files) == (2, 5)
        with Reader(str(place.journal)) as reader:
            assert [orphan.count for orphan in reader.orphans() if orphan.remote_id is None] == [2]
        sent = {row.path: row for row in place.manifest()}
        assert {name: sent[name.encode()].remote_id for name in live} == {name: live[name].remote_id for name in live}
        assert (sent[b"uploaded.mp4"].remote_id, sent[b"sent.mp4"].remote_id) == ("id-uploaded", "id-sent")
        here = [row for row in sent.values() if not (row.remote_id or "").startswith("id-")]
        assert len(here) == 7
        assert all(place.stored(row) == row.path for row in here)
