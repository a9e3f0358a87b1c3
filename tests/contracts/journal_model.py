"""A model of the journal as plain values: the rules of docs/design.md section 6 without SQL."""

from __future__ import annotations

import contextlib
import copy
import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from bulkup.journal.group_row import RowNumbers, load_files, load_tickets
from bulkup.journal.ticket_text import load, without_secrets
from bulkup.model.files import UNKNOWN_IDENTITY, Identity
from bulkup.model.states import DONE, FileState
from bulkup.model.tickets import Ticket

NEVER_SEEN = "the call was cut off before its answer"


class Key(NamedTuple):
    """A file at a destination. The source is given by its directory."""

    destination: str
    source: bytes
    path: bytes


@dataclass
class Row:
    """A file's row. `run` is the number of the last run that wrote it, `remote_id` the id of the last upload."""

    state: FileState
    identity: Identity
    run: int
    md5: bytes | str | None = None
    error: str | None = None
    place: str | None = None
    remote_id: str | None = None

    @property
    def keeps_its_place(self) -> bool:
        return self.state in {FileState.TICKETED, FileState.STORED, *DONE} or self.remote_id is not None


@dataclass
class Model:
    """A journal. Each method has the effect of one call of the journal; `ends` are the exit codes of the runs."""

    rows: dict[Key, Row] = field(default_factory=dict)
    tickets: dict[Key, Ticket] = field(default_factory=dict)
    orphans: Counter[tuple[str, str]] = field(default_factory=Counter)
    unknown: Counter[tuple[str, str]] = field(default_factory=Counter)
    superseded: dict[str, str] = field(default_factory=dict)
    places: dict[tuple[str, str], tuple[Key, int]] = field(default_factory=dict)
    ends: list[int | None] = field(default_factory=list)

    def copy(self) -> Model:
        return copy.deepcopy(self)

    def begin(self, now: float) -> None:
        self.ends.append(None)
        for key, row in self.rows.items():
            if row.state is FileState.ASKED:
                row.state = FileState.PENDING
                self.unknown[key.destination, NEVER_SEEN] += 1
        self.drop_tickets(now)

    def drop_tickets(self, now: float | None = None) -> None:
        """Drop the tickets that have expired by `now`, or all, except those of stored files."""
        for key, ticket in list(self.tickets.items()):
            out = now is None or (ticket.expires_at is not None and ticket.expires_at <= now)
            if out and self.rows[key].state is not FileState.STORED:
                self._orphan(key)
                if self.rows[key].state is FileState.TICKETED:
                    self.rows[key].state = FileState.PENDING

    def _orphan(self, key: Key) -> None:
        ticket = self.tickets.pop(key, None)
        if ticket is not None:
            self.orphans[key.destination, ticket.remote_id] += 1

    def put(
        self,
        key: Key,
        state: FileState,
        identity: Identity,
        *,
        md5: bytes | None = None,
        error: str | None = None,
        place: str | None = None,
    ) -> None:
        """Set the row to a state without a ticket. The id of the last upload stays."""
        self._orphan(key)
        before = self.rows.get(key)
        self.rows[key] = Row(state, identity, len(self.ends), md5, error, place, before.remote_id if before else None)

    def unseen(self, key: Key, state: FileState, error: str) -> None:
        """The entry could not be examined, which does not change the row of an upload or a ticket."""
        before = self.rows.get(key)
        if before is None or before.state not in {FileState.TICKETED, FileState.STORED, *DONE}:
            self.put(key, state, UNKNOWN_IDENTITY, error=error)

    def ticketed(self, key: Key, ticket: Ticket | None) -> None:
        """The call was answered. The service rejected a file without a ticket."""
        self.rows[key].state = FileState.PENDING if ticket is None else FileState.TICKETED
        if ticket is not None:
            self.tickets[key] = ticket

    def stored(self, key: Key, identity: Identity, md5: bytes) -> None:
        row = self.rows[key]
        row.state, row.identity, row.md5, row.run = FileState.STORED, identity, md5, len(self.ends)
        self.tickets[key] = without_secrets(self.tickets[key])

    def done(self, key: Key, state: FileState, identity: Identity, md5: bytes) -> None:
        row, new = self.rows[key], self.tickets.pop(key).remote_id
        if row.remote_id is not None:
            self.superseded[row.remote_id] = new
        row.state, row.identity, row.md5, row.error, row.remote_id = state, identity, md5, None, new
        row.run = len(self.ends)

    def walked(self, destination: str, source: bytes) -> None:
        """Delete entries of the source that could not be examined and that this run has not met."""
        for key, row in list(self.rows.items()):
            ended = row.state in {FileState.UNREADABLE, FileState.CHANGED}
            unseen = ended and row.identity == UNKNOWN_IDENTITY and row.remote_id is None
            if key[:2] == (destination, source) and unseen and row.run != len(self.ends):
                del self.rows[key]

    def touched(self, key: Key, identity: Identity) -> None:
        """The file was hashed again and is the same: only the identity changes."""
        self.rows[key].identity = identity

    def given_back(self, key: Key, identity: Identity, place: str | None) -> None:
        """A file with a ticket keeps it."""
        if key not in self.tickets:
            self.put(key, FileState.PENDING, identity, place=place)

    def claim(self, name: str, key: Key) -> Key | None:
        """Return the file that holds the place, None if the claim succeeded."""
        run = len(self.ends)
        holder, since = self.places.get((key.destination, name), (key, run))
        row = self.rows.get(holder)
        if holder == key or (since != run and not (row is not None and row.keeps_its_place)):
            self.places[key.destination, name] = (key, run)
            return None
        return holder

    def recorded(self) -> dict[str, Any]:
        """Return the rows of a journal that matches, in the form of the function `recorded`."""
        return {
            "rows": self.rows,
            "tickets": self.tickets,
            "orphans": +self.orphans,
            "unknown": +self.unknown,
            "superseded": self.superseded,
            "places": {where: key for where, (key, _) in self.places.items()},
            "ends": self.ends,
        }


class _Recorded(NamedTuple):
    rows: dict[Key, Row]
    tickets: dict[Key, Ticket]


_KEYS = """SELECT d.base_url, s.root, x.path, {columns} FROM {table} x
JOIN destinations d ON d.id = x.destination_id JOIN sources s ON s.id = x.source_id"""
_GROUPS = """SELECT g.id, g.destination_id, g.run_id, d.base_url, g.files, g.answers, g.tickets FROM presign_groups g
JOIN destinations d ON d.id = g.destination_id ORDER BY g.id"""
_ROW = "state, size, mtime_ns, ctime_ns, inode, device, run_id, md5, error, place, remote_id"


def recorded(path: Path) -> dict[str, Any]:
    """Return all rows of a journal as values of the model."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        rows, tickets = _files(connection)
        return {
            "rows": rows,
            "tickets": tickets,
            "orphans": _counted(connection, "remote_id", "superseded_by IS NULL AND remote_id IS NOT NULL"),
            "unknown": _counted(connection, "reason", "remote_id IS NULL"),
            "superseded": _superseded(connection.execute("SELECT remote_id, superseded_by FROM orphans")),
            "places": {
                (row[0], row[3]): Key(*row[:3])
                for row in connection.execute(_KEYS.format(columns="x.name", table="places"))
            },
            "ends": [row[0] for row in connection.execute("SELECT exit_code FROM runs ORDER BY id")],
        }


def _files(connection: sqlite3.Connection) -> _Recorded:
    """Return the rows and tickets of files. A file's last group is in force unless its own row is newer."""
    rows, written_after = dict[Key, Row](), dict[Key, int]()
    for row in connection.execute(_KEYS.format(columns=f"{_ROW}, after_group", table="files")):
        key = Key(*row[:3])
        rows[key], written_after[key] = Row(FileState(row[3]), Identity(*row[4:9]), *row[9:-1]), row[-1] or 0
    tickets = {
        Key(*row[:3]): load(row[5], row[3], row[4])
        for row in connection.execute(_KEYS.format(columns="remote_id, expires_at, ticket", table="tickets"))
    }
    roots = dict(connection.execute("SELECT id, root FROM sources"))
    for number, destination_id, run, destination, described, answers, texts in connection.execute(_GROUPS):
        numbers = RowNumbers(number, destination_id, run)
        files = load_files(numbers, described, answers)
        given = load_tickets(numbers, files, answers, texts) if answers else [None] * len(files)
        for file, ticket in zip(files, given, strict=True):
            key = Key(destination, roots[file.source_id], file.path)
            if written_after.get(key, 0) >= number:
                continue
            last_id = rows[key].remote_id if key in rows else None
            rows[key] = Row(file.state, Identity(*file.stat), run, file.md5, None, file.place, last_id)
            tickets.pop(key, None)
            if ticket is not None:
                tickets[key] = ticket
    return _Recorded(rows, tickets)


def _counted(connection: sqlite3.Connection, column: str, which: str) -> Counter[tuple[str, str]]:
    counted: Counter[tuple[str, str]] = Counter()
    query = (
        f"SELECT d.base_url, {column}, count FROM orphans JOIN destinations d ON d.id = destination_id WHERE {which}"
    )
    for destination, value, count in connection.execute(query):
        counted[destination, value] += count
    return counted


def _superseded(rows: Iterable[Sequence[Any]]) -> dict[str, str]:
    return {old: new for old, new in rows if new is not None}
