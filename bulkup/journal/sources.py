"""Identifies sources by the name that the user gave them, or else by their real path.

A source with a name may be moved or mounted elsewhere. Its row has the path of the last run.
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
    """The row of a source: its number, its last real path, and its name."""

    id: int
    root: bytes
    name: str | None


class Overlap(NamedTuple):
    """A source that shares files with another. For its path, remove the prefix `strip` and prepend `add`."""

    id: int
    strip: bytes
    add: bytes


def known_sources(connection: sqlite3.Connection) -> tuple[KnownSource, ...]:
    """Return all sources of all runs."""
    rows = connection.execute("SELECT id, root, name FROM sources ORDER BY id")
    return tuple(KnownSource(*row) for row in rows)


def find_source_id(connection: sqlite3.Connection, source: Source) -> int | None:
    """Return the number of a source in the journal, None if it is new.

    A new name takes over the row of an unnamed source: the one whose path equals the name, because that source may have
    been moved, or else the one at this source's path.
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
    """Return the number of a source, after storing its current path and name."""
    number = find_source_id(connection, source)
    if number is None:
        cursor = connection.execute("INSERT INTO sources (root, name) VALUES (?, ?)", (source.root, source.name))
        return int(cursor.lastrowid or 0)
    connection.execute("UPDATE sources SET root = ?, name = ? WHERE id = ?", (source.root, source.name, number))
    return number


def overlapping_sources(source: Source, others: Iterable[KnownSource]) -> list[Overlap]:
    """Return the sources that share files with this one: those that contain it, those inside it, and at the same path.

    Two sources at the same path with different names share no files.
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
    """Make the symbolic link `name` to a journal, unless something has that name. Raises `JournalError`."""
    with sqlite_errors(name):
        if not os.path.lexists(name):
            os.symlink(os.path.relpath(path, os.path.dirname(name)), name)


def _folder(path: bytes) -> bytes:
    return path if path.endswith(b"/") else path + b"/"
