"""Turns the rows of groups into rows of their files that have none of their own yet: asked or ticketed.

Done under the lock where no run is under way: when a journal is closed, when the next run begins after a kill, and
before rows are pruned. So a run meets only rows of files, and other tickets of a group are erased with its row.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import NamedTuple

from bulkup.journal.group_row import GroupedFile, RowNumbers, load_files, load_tickets
from bulkup.journal.stat_columns import signed_stat
from bulkup.journal.ticket_text import dump
from bulkup.model.tickets import Ticket

# As bytes: the error about a text that is not UTF-8 would contain it.
_GROUPS = """
SELECT id, destination_id, run_id, CAST(files AS BLOB), CAST(answers AS BLOB), {tickets} FROM presign_groups
{which} ORDER BY id
"""
_NEWER = "SELECT 1 FROM files WHERE destination_id = ? AND source_id = ? AND path = ? AND after_group >= ?"
# The id of the last upload stays, as for a row of a file that is asked for again.
_UNFOLD = """
INSERT INTO files (destination_id, source_id, path, state, size, mtime_ns, ctime_ns, inode, device, md5,
                   attempts, error, run_id, place)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, ?, ?)
ON CONFLICT DO UPDATE SET state = excluded.state, size = excluded.size, mtime_ns = excluded.mtime_ns,
    ctime_ns = excluded.ctime_ns, inode = excluded.inode, device = excluded.device, md5 = excluded.md5,
    attempts = excluded.attempts, error = excluded.error, run_id = excluded.run_id, place = excluded.place
"""
_TICKET = """
INSERT OR REPLACE INTO tickets (destination_id, source_id, path, remote_id, expires_at, ticket)
VALUES (?, ?, ?, ?, ?, ?)
"""


class GroupRow(NamedTuple):
    """A row of a group. `tickets` are empty where they were not read, or the call was not answered."""

    numbers: RowNumbers
    files: list[GroupedFile]
    tickets: list[Ticket | None]


def groups(connection: sqlite3.Connection, *, with_tickets: bool, which: str = "") -> Iterator[GroupRow]:
    """Yield the groups of the journal in order, those for which the condition `which` holds.

    Raises `sqlite3.Error`, `DamagedTicketError`.
    """
    query = _GROUPS.format(tickets="CAST(tickets AS BLOB)" if with_tickets else "NULL", which=which)
    for *numbers, described, answers, texts in connection.execute(query):
        row = RowNumbers(*numbers)
        files = load_files(row, described, answers)
        tickets = load_tickets(row, files, answers, texts) if with_tickets and answers is not None else []
        yield GroupRow(row, files, tickets)


def unsettled(connection: sqlite3.Connection) -> Iterator[tuple[RowNumbers, GroupedFile, Ticket | None]]:
    """Yield the files in groups that have no newer row, with their tickets. A file in two groups comes twice.

    The later one counts. Raises `sqlite3.Error`, `DamagedTicketError`.
    """
    for group in groups(connection, with_tickets=True):
        tickets = group.tickets or [None] * len(group.files)
        for file, ticket in zip(group.files, tickets, strict=True):
            key = (group.numbers.destination, file.source_id, file.path)
            if connection.execute(_NEWER, (*key, group.numbers.group)).fetchone() is None:
                yield group.numbers, file, ticket


def unfold(connection: sqlite3.Connection) -> None:
    """Unfold all groups, in the open transaction. Raises `sqlite3.Error`, `DamagedTicketError`."""
    for numbers, file, ticket in unsettled(connection):
        key = (numbers.destination, file.source_id, file.path)
        stat = signed_stat(file.stat)
        row = (*key, file.state, *stat, file.md5, file.attempts, numbers.run, file.place)
        connection.execute(_UNFOLD, row)
        connection.execute("DELETE FROM tickets WHERE destination_id = ? AND source_id = ? AND path = ?", key)
        if ticket is not None:
            connection.execute(_TICKET, (*key, ticket.remote_id, ticket.expires_at, dump(ticket)))
    connection.execute("DELETE FROM presign_groups")
