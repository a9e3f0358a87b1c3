"""The rows of parts that storage has, of files whose parts have tickets of their own."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

from bulkup.journal.writer import Statement
from bulkup.model.files import Digest
from bulkup.model.tickets import SentPart, Ticket

Key = tuple[int, int, bytes]  # of a file: destination, source and path

_SINCE = 7  # the version with this table
_SENT = """
INSERT OR REPLACE INTO parts (destination_id, source_id, path, upload, number, etag, digest, verified) VALUES {rows}
"""
_ERASE = "DELETE FROM parts WHERE (destination_id, source_id, path) IN (VALUES {rows})"
# As bytes: the error about a text that is not UTF-8 would contain it.
_FIND = """
SELECT number, CAST(etag AS BLOB), CAST(digest AS BLOB), verified FROM parts
WHERE destination_id = ? AND source_id = ? AND path = ? AND upload = ? ORDER BY number
"""


def sent_statement(key: Key, ticket: Ticket, part: SentPart) -> Statement:
    """Return the row of a part that storage has."""
    digest = None if part.digest is None else part.digest.text
    return Statement(_SENT, [(*key, ticket.remote_id, part.number, part.etag, digest, part.verified)])


def erasing_statement(files: Iterable[tuple[Key, Ticket | None]]) -> list[Statement]:
    """Return the statement that erases the parts of files, none where no ticket of theirs has parts."""
    keys = [key for key, ticket in files if ticket is not None and ticket.parts is not None]
    return [Statement(_ERASE, keys)] if keys else []


def sent_parts(connection: sqlite3.Connection, key: Key, ticket: Ticket) -> tuple[SentPart, ...]:
    """Return the parts that were sent with a ticket. Raises ValueError for a row that was not written here."""
    if ticket.parts is None or connection.execute("PRAGMA user_version").fetchone()[0] < _SINCE:
        return ()
    rows: Sequence[Any] = connection.execute(_FIND, (*key, ticket.remote_id)).fetchall()
    return tuple(
        SentPart(
            number,
            None if etag is None else etag.decode(),
            None if digest is None else Digest.of_text(digest.decode()),
            bool(verified),
        )
        for number, etag, digest, verified in rows
        if 1 <= number <= ticket.parts.count
    )
