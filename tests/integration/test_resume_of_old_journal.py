"""A run resumes with a journal that the last release of bulkup left when it was killed."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import sqlite3
import time
from pathlib import Path

from journal_world import journal_0_1_0
from pipeline_world import World, world

from bulkup.api import composition
from bulkup.config import require_credentials
from bulkup.helpers.clock import SystemClock
from bulkup.model.files import stat_of
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


def adopt(place: World, ticket: Ticket) -> None:
    """Put this machine's folder, server, files and ticket into the rows of the dump; their form stays the same."""
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
