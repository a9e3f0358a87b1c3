"""Sources as the journal tells them apart: by the name that the user gave one, else by its real path.

A name stays when the source is moved or mounted elsewhere. Its row keeps the path of the last run.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable
from typing import NamedTuple

from bulkup.journal.database import sqlite_errors
from bulkup.model.files import Source

_UNNAMED = "SELECT id FROM sources WHERE name IS NULL AND root = ?"


class KnownSource(NamedTuple):
    """A row: its number, the real path it had last, and its name."""

    id: int
    root: bytes
    name: str | None


class Overlap(NamedTuple):
    """A source that shares files with another one, and how a path of that one reads in it."""

    id: int
    strip: bytes
    add: bytes


def known_sources(connection: sqlite3.Connection) -> tuple[KnownSource, ...]:
    """Return every source that a run had."""
    rows = connection.execute("SELECT id, root, name FROM sources ORDER BY id")
    return tuple(KnownSource(*row) for row in rows)


def find_source_id(connection: sqlite3.Connection, source: Source) -> int | None:
    """Return the number that the journal knows a source by, None where it is new.

    A name that nothing has yet takes over the source of that path, which has been moved since, or else the one that is
    where this one is now.
    """
    tries: list[tuple[str, str | bytes]] = [(_UNNAMED, source.root)]
    if source.name is not None:
        before = os.fsencode(os.path.normpath(source.name))
        tries = [("SELECT id FROM sources WHERE name = ?", source.name), (_UNNAMED, before), *tries]
    for query, value in tries:
        row = connection.execute(query, (value,)).fetchone()
        if row is not None:
            return int(row[0])
    return None


def register_source(connection: sqlite3.Connection, source: Source) -> int:
    """Return a source's number; its path and name are from now on those that this one has."""
    number = find_source_id(connection, source)
    if number is None:
        cursor = connection.execute("INSERT INTO sources (root, name) VALUES (?, ?)", (source.root, source.name))
        return int(cursor.lastrowid or 0)
    connection.execute("UPDATE sources SET root = ?, name = ? WHERE id = ?", (source.root, source.name, number))
    return number


def overlapping_sources(source: Source, others: Iterable[KnownSource]) -> list[Overlap]:
    """Return the sources that share files with this one: those above, below, and at the same path.

    Two of the same path that have names of their own share nothing: the names say that they are not the same.
    """
    found = []
    here = _folder(source.root)
    for other in others:
        there = _folder(other.root)
        if other.id == source.id or (here == there and None not in (source.name, other.name)):
            continue
        if here.startswith(there):
            found.append(Overlap(other.id, b"", here[len(there) :]))
        elif there.startswith(here):
            found.append(Overlap(other.id, there[len(here) :], b""))
    return found


def link_journal(path: str, name: str) -> None:
    """Have a journal found by a second path, too, from now on. Raises `JournalError`."""
    with sqlite_errors(name):
        if not os.path.lexists(name):
            os.symlink(os.path.relpath(path, os.path.dirname(name)), name)


def _folder(path: bytes) -> bytes:
    return path if path.endswith(b"/") else path + b"/"
