"""Exclusive places at the service (an asset's MAIN, an object key), and the files that hold them.

A run claims places in the journal, in groups, before it calls the service. A dry run claims them in a temporary
database on top of the journal's rows.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Collection, Sequence
from typing import Any

from bulkup.helpers.quick_dataclass import dataclass
from bulkup.journal.database import sqlite_errors
from bulkup.journal.writer import Statement

Key = tuple[int, bytes]  # a source's number and a path in it

# A file keeps its place while the service has it or has given out a ticket for it, also if it has changed on disk
# since.
_KEEPS = """EXISTS (SELECT 1 FROM files f WHERE f.destination_id = places.destination_id
    AND f.source_id = places.source_id AND f.path = places.path
    AND (f.state IN ('ticketed', 'stored', 'uploaded', 'unverified') OR f.remote_id IS NOT NULL))"""
_CLAIM = f"""
INSERT INTO places (destination_id, name, source_id, path, run_id) VALUES {{rows}}
ON CONFLICT DO UPDATE SET source_id = excluded.source_id, path = excluded.path, run_id = excluded.run_id
WHERE (places.source_id = excluded.source_id AND places.path = excluded.path)
    OR (places.run_id <> excluded.run_id AND NOT {_KEEPS})
"""
_HOLDERS = """
SELECT p.name, p.path, s.root, s.name FROM places p JOIN sources s ON s.id = p.source_id
WHERE (p.destination_id, p.name) IN (VALUES {rows})
"""
_HOLDER = f"""
SELECT places.source_id, places.path, s.root, s.name, {_KEEPS} FROM places JOIN sources s ON s.id = places.source_id
WHERE places.destination_id = ? AND places.name = ?
"""


@dataclass(frozen=True, slots=True)
class Claim:
    """A file's claim of a place. `key` is its row in the journal, `full_path` its real path.

    A file found in two sources, one inside the other, has two rows and is still one file. `source` is the source's
    name, if it has one.
    """

    name: str
    key: Key
    full_path: bytes
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Holder:
    """The file that holds a place: its source's directory, its path there, and the source's name, if it has one."""

    source: bytes
    path: bytes
    source_name: str | None = None

    @property
    def full_path(self) -> bytes:
        """The file's real path."""
        return os.path.join(self.source, self.path)


def claim_statements(claims: Sequence[Claim], destination_id: int, run_id: int) -> list[Statement]:
    """Return the statements that claim places. A place that another file holds is not changed."""
    rows = [(destination_id, claim.name, *claim.key, run_id) for claim in claims]
    return [Statement(_CLAIM, rows)]


def holders_query(claims: Sequence[Claim], destination_id: int) -> Statement:
    """Return the query for the holders of the claimed places."""
    return Statement(_HOLDERS, [(destination_id, claim.name) for claim in claims], returns_rows=True)


def other_holders(claims: Sequence[Claim], rows: Sequence[tuple[Any, ...]]) -> list[Holder | None]:
    """Return for each claim the other file that holds its place, None if the claim's own file holds it."""
    held = {name: Holder(root, path, source) for name, path, root, source in rows}
    return [_other(claim, held[claim.name]) for claim in claims]


def _other(claim: Claim, holder: Holder) -> Holder | None:
    # If both sources have names, the names decide: both may have been mounted at the same path.
    both_named = None not in (claim.source, holder.source_name)
    same_source = claim.source == holder.source_name or not both_named
    return None if same_source and holder.full_path == claim.full_path else holder


class DryRunPlaces:
    """Claims of a dry run, on top of those in a journal. They are kept on disk, since a tree may be larger than memory.

    `connection` is that of the journal, None if there is none. `ticketed` are files in groups that have a ticket.
    `close` deletes the claims.
    """

    def __init__(
        self,
        connection: sqlite3.Connection | None,
        path: str,
        destination_id: int,
        ticketed: Collection[Key] = (),
    ) -> None:
        self._journal = connection
        self._path = path
        self._destination = destination_id
        self._ticketed = ticketed
        self._scratch = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._scratch.execute("CREATE TABLE places (name TEXT PRIMARY KEY, root BLOB, path BLOB) WITHOUT ROWID")
        self._scratch.execute("BEGIN")

    def close(self) -> None:
        """Delete the claims."""
        self._scratch.close()

    def claim(self, claim: Claim, holder: Holder) -> Holder | None:
        """Claim a place for `holder`. Return the other file that holds it, None if the claim succeeded.

        Raises `JournalError`.
        """
        kept = self._kept(claim)
        if kept is not None:
            return kept
        with contextlib.suppress(sqlite3.IntegrityError):
            self._scratch.execute("INSERT INTO places VALUES (?, ?, ?)", (claim.name, holder.source, holder.path))
            return None
        root, path = self._scratch.execute("SELECT root, path FROM places WHERE name = ?", (claim.name,)).fetchone()
        return _other(claim, Holder(root, path))

    def _kept(self, claim: Claim) -> Holder | None:
        if self._journal is None:
            return None
        with sqlite_errors(self._path):
            row = self._journal.execute(_HOLDER, (self._destination, claim.name)).fetchone()
        if row is None:
            return None
        source_id, path, root, source, keeps = row
        if not keeps and (source_id, path) not in self._ticketed:
            return None
        return _other(claim, Holder(root, path, source))
