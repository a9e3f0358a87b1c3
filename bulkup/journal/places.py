"""Places that one file alone can have at the service: who holds which (an asset's MAIN, an object key).

A run claims them in the journal, in groups, before it asks for anything. Who only wants to know beforehand claims them
in a scratch database, over what the journal holds.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bulkup.journal.database import sqlite_errors
from bulkup.journal.writer import Statement

Key = tuple[int, bytes]  # a source's number and a path in it

# What the service has, or has a ticket for, keeps its place; so does what changed on disk after it was uploaded.
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
_KEPT = f"""
SELECT places.path, s.root, s.name FROM places JOIN sources s ON s.id = places.source_id
WHERE places.destination_id = ? AND places.name = ? AND {_KEEPS}
"""


@dataclass(frozen=True, slots=True)
class Claim:
    """A file that wants a place; `key` is its row in the journal, `full_path` where it really is.

    One file may be found in two sources, one within the other, and so have two rows: it is still one file. `source` is
    the name of the source, where it has one.
    """

    name: str
    key: Key
    full_path: bytes
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Holder:
    """The file that has a place: its source's directory, its path there, and the source's name where it has one."""

    source: bytes
    path: bytes
    source_name: str | None = None

    @property
    def full_path(self) -> bytes:
        """Where it really is."""
        return os.path.join(self.source, self.path)


def claim_statements(claims: Sequence[Claim], destination_id: int, run_id: int) -> list[Statement]:
    """Return what claims the places; those that another file holds stay with it."""
    rows = [(destination_id, claim.name, *claim.key, run_id) for claim in claims]
    return [Statement(_CLAIM, rows)]


def holders_query(claims: Sequence[Claim], destination_id: int) -> Statement:
    """Return what asks who holds the places."""
    return Statement(_HOLDERS, [(destination_id, claim.name) for claim in claims], asks=True)


def other_holders(claims: Sequence[Claim], rows: Sequence[tuple[Any, ...]]) -> list[Holder | None]:
    """Return for each claim the other file that holds its place, None where it is the claim's own."""
    held = {name: Holder(root, path, source) for name, path, root, source in rows}
    return [_other(claim, held[claim.name]) for claim in claims]


def _other(claim: Claim, holder: Holder) -> Holder | None:
    # Where both sources have names, those tell the files apart: the path may be a mount point that both came by.
    both_named = None not in (claim.source, holder.source_name)
    same_source = claim.source == holder.source_name or not both_named
    return None if same_source and holder.full_path == claim.full_path else holder


class DryRunPlaces:
    """Claims that nobody but the asker sees, over those of a journal. On disk, since a tree may be larger than memory.

    `connection` is to the journal, None where there is none yet. Closed by `close`.
    """

    def __init__(self, connection: sqlite3.Connection | None, path: str, destination_id: int) -> None:
        self._journal = connection
        self._path = path
        self._destination = destination_id
        self._scratch = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._scratch.execute("CREATE TABLE places (name TEXT PRIMARY KEY, root BLOB, path BLOB) WITHOUT ROWID")
        self._scratch.execute("BEGIN")

    def close(self) -> None:
        """Forget the claims."""
        self._scratch.close()

    def claim(self, claim: Claim, holder: Holder) -> Holder | None:
        """Claim a place for `holder`; return the other file that has it, None where it is the claim's own now.

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
            row = self._journal.execute(_KEPT, (self._destination, claim.name)).fetchone()
        if row is None:
            return None
        path, root, source = row
        return _other(claim, Holder(root, path, source))
