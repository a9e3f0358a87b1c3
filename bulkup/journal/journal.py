"""The journal as a run sees it: begin, record, end. Every method returns once what it recorded is on disk."""

from __future__ import annotations

import contextlib
import sqlite3
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

import anyio
import orjson

from bulkup.journal.database import open_for_reading, open_for_writing, sqlite_errors
from bulkup.journal.destination import Destination
from bulkup.journal.lookup import Lookup
from bulkup.journal.places import Claim, Holder, claim_statements, holders_query, other_holders
from bulkup.journal.sources import KnownSource, known_sources, register_source
from bulkup.journal.statements import KeptUntil, Statements
from bulkup.journal.writer import Statement, Writer
from bulkup.model.files import Source
from bulkup.model.items import Item, Outcome
from bulkup.model.tickets import Ticket

# Each try waits for readers as long as the connection's busy timeout says.
_CHECKPOINT_TRIES = 2
# By its own index: left to itself SQLite would read all rows of the source, which may be millions.
_FORGET = """
DELETE FROM files INDEXED BY files_unreadable WHERE state = 'unreadable' AND destination_id = ? AND source_id = ?
    AND run_id <> ? AND inode = 0 AND device = 0 AND remote_id IS NULL
"""
# Likewise, and only with the index's own condition spelt out is SQLite sure that it holds all of them.
_CUT_OFF = "files INDEXED BY files_open"
_WHICH_CUT_OFF = "state IN ('asked', 'ticketed', 'stored') AND state = 'asked'"
_CUT_OFF_CALLS = f"SELECT destination_id, count(*) FROM {_CUT_OFF} WHERE {_WHICH_CUT_OFF} GROUP BY destination_id"
_TAKE_BACK = f"UPDATE {_CUT_OFF} SET state = 'pending' WHERE {_WHICH_CUT_OFF}"
CUT_OFF = "the call was cut off before its answer"


class Journal:
    """Owns the file's connection and writer thread from `open` to `close`. The caller holds the lock meanwhile."""

    def __init__(self, connection: sqlite3.Connection, path: str) -> None:
        self.path = path
        self.run = ""
        self._connection = connection
        self._writer = Writer(connection, path)
        self._destination_id = 0
        self._run_id = 0
        self._sources: tuple[KnownSource, ...] = ()
        self._statements = Statements(0, 0, _for_ever)

    @classmethod
    async def open(cls, path: str) -> Journal:
        """Open or create the file and migrate it. Raises `JournalError`."""
        return cls(await anyio.to_thread.run_sync(open_for_writing, path), path)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(self.close)

    def close(self) -> None:
        """End the writer thread, fold the write-ahead log into the file, and close it."""
        self._writer.close()
        # A full or damaged disk has been told already, by the write that met it.
        with contextlib.closing(self._connection), contextlib.suppress(sqlite3.Error):
            # The log may hold erased tickets until it is folded in and cut to nothing; a reader can be in the way.
            for _ in range(_CHECKPOINT_TRIES):
                (busy, _, _) = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                if not busy:
                    break

    async def begin_run(
        self, destination: Destination, sources: Sequence[Source], *, now: float, kept_until: KeptUntil
    ) -> tuple[Source, ...]:
        """Start a run and clear up behind those that were cut off; returns the sources with their numbers.

        Calls that never got their answer are counted as unknown ids; tickets that ran out are erased, and their ids
        are orphans. `kept_until` tells how long the service keeps what it got at a time.
        """
        return await anyio.to_thread.run_sync(self._begin, destination, sources, now, kept_until)

    async def claim(self, claims: Sequence[Claim]) -> list[Holder | None]:
        """Claim places; returns for each the other file that holds it, None where it is the claim's own now."""
        if not claims:
            return []
        query = holders_query(claims, self._destination_id)
        rows = await self._writer.write([*claim_statements(claims, self._destination_id, self._run_id), query])
        return other_holders(claims, rows)

    async def pending(
        self, items: Sequence[Item], replaced: Sequence[tuple[Item, Ticket]] = (), now: float = 0.0
    ) -> None:
        """Record that nothing is under way for these items, and that the tickets in `replaced` are no longer good."""
        await self._writer.write(self._statements.pending(items, replaced, now))

    async def asked(self, items: Iterable[Item], replaced: Sequence[tuple[Item, Ticket]], now: float) -> None:
        """Record the intent to ask for tickets, and that those in `replaced` are no longer good."""
        await self._writer.write(self._statements.asked(items, replaced, now))

    async def ticketed(self, tickets: Iterable[tuple[Item, Ticket]]) -> None:
        """Record tickets."""
        await self._writer.write(self._statements.ticketed(tickets))

    async def stored(self, items: Iterable[Item]) -> None:
        """Record storage's receipts."""
        await self._writer.write(self._statements.stored(items))

    async def unknown_ids(self, count: int, reason: str, now: float) -> None:
        """Record that up to `count` ids may exist that nobody saw."""
        await self._writer.write(self._statements.unknown_ids(count, reason, now))

    async def settled(self, outcomes: Sequence[Outcome], now: float) -> None:
        """Record terminal states."""
        await self._writer.write(self._statements.settled(outcomes, now))

    async def end_run(
        self,
        *,
        now: float,
        exit_code: int,
        summary: Mapping[str, Any],
        finished: bool,
        walked: Sequence[Source] = (),
    ) -> None:
        """Record how the run ended. A finished run leaves no ticket behind, so no signature in the file.

        Of the sources that were `walked` to their end, entries that an earlier run could not look at, and that this one
        has not met, are forgotten: a folder that can be listed again is no file, and its files have rows of their own.
        """
        text = orjson.dumps(summary).decode()
        statements = [
            Statement(
                "UPDATE runs SET ended_at = ?, exit_code = ?, summary = ? WHERE id = ?",
                [(now, exit_code, text, self._run_id)],
            ),
            Statement(_FORGET, [(self._destination_id, source.id, self._run_id) for source in walked]),
        ]
        if finished:
            statements += self._erase_tickets("1", (), now)
        await self._writer.write(statements)

    def lookup(self) -> Lookup:
        """Return a new lookup for this run's destination; the caller closes it."""
        return Lookup(open_for_reading(self.path), self.path, self._destination_id, self._sources)

    def _begin(
        self, destination: Destination, sources: Sequence[Source], now: float, kept_until: KeptUntil
    ) -> tuple[Source, ...]:
        # Nothing was handed to the writer thread yet, so this one may use its connection.
        with sqlite_errors(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            self._destination_id = self._intern_destination(destination)
            numbered = tuple(replace(source, id=register_source(self._connection, source)) for source in sources)
            self._sources = known_sources(self._connection)
            self._run_id = self._insert_run(numbered, now)
            self._statements = Statements(self._destination_id, self._run_id, kept_until)
            self._clear_up(now)
            self._connection.execute("COMMIT")
        return numbered

    def _intern_destination(self, destination: Destination) -> int:
        key = (destination.provider, destination.base_url, destination.scope)
        self._connection.execute("INSERT OR IGNORE INTO destinations (provider, base_url, scope) VALUES (?, ?, ?)", key)
        query = "SELECT id FROM destinations WHERE provider = ? AND base_url = ? AND scope = ?"
        return int(self._connection.execute(query, key).fetchone()[0])

    def _insert_run(self, sources: Sequence[Source], now: float) -> int:
        self.run = uuid.uuid4().hex
        roots = orjson.dumps([source.root.hex() for source in sources]).decode()
        cursor = self._connection.execute(
            "INSERT INTO runs (run, destination_id, sources, started_at) VALUES (?, ?, ?, ?)",
            (self.run, self._destination_id, roots, now),
        )
        return int(cursor.lastrowid or 0)

    def _clear_up(self, now: float) -> None:
        for destination_id, count in self._connection.execute(_CUT_OFF_CALLS).fetchall():
            self._connection.execute(
                "INSERT INTO orphans (destination_id, count, reason, created_at, run_id) VALUES (?, ?, ?, ?, ?)",
                (destination_id, count, CUT_OFF, now, self._run_id),
            )
        self._connection.execute(_TAKE_BACK)
        for statement in self._erase_tickets("expires_at <= ?", (now,), now):
            statement.run(self._connection)

    def _erase_tickets(self, which: str, values: tuple[Any, ...], now: float) -> list[Statement]:
        """Return statements that turn live tickets into orphans; a stored file's ticket waits for its confirm call."""
        stored = """EXISTS (SELECT 1 FROM files f WHERE f.destination_id = tickets.destination_id
            AND f.source_id = tickets.source_id AND f.path = tickets.path AND f.state = 'stored')"""
        chosen = f"FROM tickets WHERE {which} AND NOT {stored}"
        orphan = f"""INSERT INTO orphans (destination_id, source_id, path, remote_id, count, reason, created_at, run_id)
            SELECT destination_id, source_id, path, remote_id, 1, 'its ticket was not used in time', ?, ? {chosen}"""
        state = f"""UPDATE files SET state = 'pending' WHERE state = 'ticketed' AND (destination_id, source_id, path)
            IN (SELECT destination_id, source_id, path {chosen})"""
        return [
            Statement(orphan, [(now, self._run_id, *values)]),
            Statement(state, [values]),
            Statement(f"DELETE {chosen}", [values]),
        ]


def _for_ever(_stored_at: float) -> None:
    """Say that nothing is known of how long the service keeps a file."""
