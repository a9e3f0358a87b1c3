"""The journal as a run uses it: begin, record, end. Each method returns when its rows are on disk."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

import anyio
import orjson

from bulkup.helpers.event_logger import EventLogger
from bulkup.journal.database import close_unchanged, open_for_reading, open_for_writing, row_values, sqlite_errors
from bulkup.journal.destination import Destination
from bulkup.journal.lookup import Lookup
from bulkup.journal.open_groups import OpenGroups
from bulkup.journal.places import Claim, Holder, claim_statements, holders_query, other_holders
from bulkup.journal.run_records import write_record
from bulkup.journal.run_shards import require_shard
from bulkup.journal.sources import KnownSource, known_sources, register_source
from bulkup.journal.statements import NOT_USED, KeptUntil, Statements
from bulkup.journal.ticket_text import DamagedTicketError
from bulkup.journal.unfolding import unfold
from bulkup.journal.writer import DEFAULT_OPTIONS, Statement, Writer, WriterOptions
from bulkup.model.files import FoundFile, Source
from bulkup.model.items import Group, Item, Outcome
from bulkup.model.log_events import LogEvent
from bulkup.model.run_record import RunRecord
from bulkup.model.shard import Shard
from bulkup.model.tickets import SentPart, Ticket

_log = EventLogger("bulkup.journal")

# Each try waits for readers up to the connection's busy timeout.
_CHECKPOINT_TRIES = 2
# Without the index named, SQLite would read all rows of the source, which may be millions.
_FORGET = """
DELETE FROM files INDEXED BY files_unexamined WHERE state IN ('unreadable', 'changed') AND destination_id = ?
    AND source_id = ? AND run_id <> ? AND (size, mtime_ns, ctime_ns, inode, device) = (0, 0, 0, 0, 0)
    AND remote_id IS NULL
"""
# The same here. SQLite uses a partial index only for a query that repeats the index's condition.
_OPEN_FILES = "files INDEXED BY files_open"
_ASKED = "state IN ('asked', 'ticketed', 'stored') AND state = 'asked'"
_COUNT_ASKED = f"SELECT destination_id, count(*) FROM {_OPEN_FILES} WHERE {_ASKED} GROUP BY destination_id"
_RESET_ASKED = f"UPDATE {_OPEN_FILES} SET state = 'pending' WHERE {_ASKED}"
_FILE = "destination_id, source_id, path"
INTERRUPTED_CALL = "the call was cut off before its answer"


class Journal:
    """Owns the file's connection and writer thread from `open` to `close`. The caller holds the lock."""

    def __init__(self, connection: sqlite3.Connection, path: str, options: WriterOptions = DEFAULT_OPTIONS) -> None:
        self.path = path
        self.run = ""
        self._connection = connection
        self._writer = Writer(connection, path, options)
        self._destination_id = 0
        self._run_id = 0
        self._sources: tuple[KnownSource, ...] = ()
        self._statements = Statements(0, 0, _kept_forever)

    @classmethod
    async def open(cls, path: str) -> Journal:
        """Open or create the file, and migrate it to the current version. Raises `JournalError`."""
        return cls(await anyio.to_thread.run_sync(open_for_writing, path), path)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(self.close)

    def close(self) -> None:
        """End the writer thread, move the write-ahead log into the file, and close it.

        Until the log is truncated, it may hold erased tickets. A transaction of another program can prevent that.
        """
        self._writer.close()
        if self._writer.damaged:
            close_unchanged(self._connection, self.path)
            return
        with contextlib.closing(self._connection):
            self._unfold()
            if not self._empty_log() and os.path.exists(self.path):
                _log.warning(LogEvent.JOURNAL_LOG_KEPT, journal=self.path)

    def _unfold(self) -> None:
        """Leave only tickets of files that are not settled: groups have those of other files too."""
        with contextlib.suppress(sqlite3.Error, DamagedTicketError):  # the next run tries again
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                unfold(self._connection)
                self._connection.execute("COMMIT")
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")

    def _empty_log(self) -> bool:
        # The write that met a full or damaged disk has reported it already.
        with contextlib.suppress(sqlite3.Error):
            for _ in range(_CHECKPOINT_TRIES):
                (busy, _, _) = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                if not busy:
                    return True
        return False

    async def begin_run(
        self,
        destination: Destination,
        sources: Sequence[Source],
        *,
        now: float,
        kept_until: KeptUntil,
        settings_digest: str = "",
        creates_ids: bool = True,
        shard: Shard | None = None,
    ) -> tuple[Source, ...]:
        """Start a run, recover from interrupted ones, and return the sources with their numbers.

        Calls without an answer are counted as unknown ids. Tickets whose lease has ended are erased, and their ids
        become orphans. `kept_until` returns, for the time of an upload, when the service deletes it. `settings_digest`
        is kept with the rejections of the service. Without `creates_ids`, an unused ticket of this destination leaves
        no id at the service, so it becomes no orphan. `shard` is the part of the files that the run takes. Raises
        UsageError if the runs of the journal took other files, which are in other journals.
        """
        return await anyio.to_thread.run_sync(
            self._begin, destination, sources, now, kept_until, settings_digest, creates_ids, shard
        )

    async def claim(self, claims: Sequence[Claim]) -> list[Holder | None]:
        """Claim places. Return for each the other file that holds it, None if the claim succeeded."""
        if not claims:
            return []
        query = holders_query(claims, self._destination_id)
        rows = await self._writer.write([*claim_statements(claims, self._destination_id, self._run_id), query])
        return other_holders(claims, rows)

    async def pending(
        self, items: Sequence[Item], replaced: Sequence[tuple[Item, Ticket]] = (), now: float = 0.0
    ) -> None:
        """Record that no call about these items is in progress, and that the tickets in `replaced` are invalid."""
        await self._writer.write(self._statements.pending(items, replaced, now))

    async def asked(self, group: Group, replaced: Sequence[tuple[Item, Ticket]], now: float) -> None:
        """Record the intent to ask for the tickets of a group, and that the tickets in `replaced` are invalid."""
        await self._writer.write(self._statements.asked(group, replaced, now))

    async def ticketed(self, group: Group, tickets: Sequence[Ticket | None]) -> None:
        """Record the answer to a call: the ticket of each file of the group, None for a file that has none."""
        await self._writer.write(self._statements.ticketed(group, tickets))

    async def issued(
        self, group: Group, replaced: Sequence[tuple[Item, Ticket]], tickets: Sequence[Ticket | None], now: float
    ) -> None:
        """Record the tickets of a group whose intent was not recorded, and that those in `replaced` are invalid."""
        statements = self._statements.asked(group, replaced, now)
        await self._writer.write([*statements, *self._statements.ticketed(group, tickets)])

    async def stored(self, items: Iterable[Item]) -> None:
        """Record storage's receipts."""
        await self._writer.write(self._statements.stored(items))

    async def part_sent(self, item: Item, ticket: Ticket, part: SentPart) -> None:
        """Record that storage has a part of a file."""
        await self._writer.write(self._statements.part_sent(item, ticket, part))

    async def deleted(self, ticket: Ticket) -> None:
        """Record that the service has nothing any more of an upload that was given up in this run."""
        await self._writer.write(self._statements.deleted(ticket))

    async def removing(self, files: Sequence[FoundFile]) -> None:
        """Record that uploaded files are about to be removed from their source."""
        rows = [(self._destination_id, file.source.id, file.path, self._run_id) for file in files]
        await self._writer.write([Statement("INSERT OR REPLACE INTO removed VALUES {rows}", rows)])

    async def unknown_ids(self, count: int, reason: str, now: float) -> None:
        """Record that up to `count` ids may exist that no answer named."""
        await self._writer.write(self._statements.unknown_ids(count, reason, now))

    async def settled(self, outcomes: Sequence[Outcome], now: float) -> None:
        """Record terminal states."""
        await self._writer.write(self._statements.settled(outcomes, now))

    async def record(self, record: RunRecord) -> None:
        """Replace the record that the run keeps of itself."""
        await self._writer.write([write_record(self._run_id, record)])

    async def end_run(
        self,
        *,
        now: float,
        exit_code: int,
        summary: Mapping[str, Any],
        finished: bool,
        walked: Sequence[Source] = (),
        record: RunRecord | None = None,
    ) -> None:
        """Record how the run ended. A finished run erases all tickets, so the file holds no signature.

        `walked` are the sources that were walked completely. Their entries that an earlier run could not examine and
        that this run has not met are deleted: such an entry may be a name that is gone, or a folder that can be listed
        now, whose files have rows of their own. `record` replaces that of the run.
        """
        text = json.dumps(summary)  # sums may exceed the 64 bits of orjson's integers
        statements = [
            Statement(
                "UPDATE runs SET ended_at = ?, exit_code = ?, summary = ? WHERE id = ?",
                [(now, exit_code, text, self._run_id)],
            ),
            Statement(_FORGET, [(self._destination_id, source.id, self._run_id) for source in walked]),
        ]
        if record is not None:
            statements.append(write_record(self._run_id, record))
        if finished:
            statements += self._statements.unused(now)
            statements += self._erase_tickets("1", (), now)
        await self._writer.write(statements)

    def lookup(self) -> Lookup:
        """Return a new lookup for this run's destination; the caller closes it."""
        return self._lookup(on_damage=self._writer.refuse)

    def lookup_earlier(self) -> Lookup:
        """Return a lookup whose `compare` knows only uploads of earlier runs; the caller closes it.

        It is for figures alone: a row that it cannot read has no effect on the run.
        """
        return self._lookup(earlier_than=self._run_id)

    def _lookup(self, **options: Any) -> Lookup:
        with sqlite_errors(self.path):
            return Lookup(open_for_reading(self.path), self.path, self._destination_id, self._sources, **options)

    def _begin(
        self,
        destination: Destination,
        sources: Sequence[Source],
        now: float,
        kept_until: KeptUntil,
        settings_digest: str,
        creates_ids: bool,
        shard: Shard | None,
    ) -> tuple[Source, ...]:
        # The writer thread has no job yet, so this thread may use its connection.
        with sqlite_errors(self.path):
            require_shard(self._connection, self.path, shard)
            self._connection.execute("BEGIN IMMEDIATE")
            unfold(self._connection)
            self._destination_id = self._intern_destination(destination)
            numbered = tuple(replace(source, id=register_source(self._connection, source)) for source in sources)
            self._sources = known_sources(self._connection)
            self._run_id = self._insert_run(numbered, now, shard)
            groups = OpenGroups(self._last_group())
            self._statements = Statements(
                self._destination_id, self._run_id, kept_until, settings_digest, groups, creates_ids=creates_ids
            )
            self._recover(now)
            self._connection.execute("COMMIT")
        return numbered

    def _intern_destination(self, destination: Destination) -> int:
        key = (destination.provider, destination.base_url, destination.scope)
        self._connection.execute("INSERT OR IGNORE INTO destinations (provider, base_url, scope) VALUES (?, ?, ?)", key)
        query = "SELECT id FROM destinations WHERE provider = ? AND base_url = ? AND scope = ?"
        return int(self._connection.execute(query, key).fetchone()[0])

    def _insert_run(self, sources: Sequence[Source], now: float, shard: Shard | None) -> int:
        self.run = uuid.uuid4().hex
        roots = orjson.dumps([source.root.hex() for source in sources]).decode()
        cursor = self._connection.execute(
            "INSERT INTO runs (run, destination_id, sources, started_at, shard) VALUES (?, ?, ?, ?, ?)",
            (self.run, self._destination_id, roots, now, None if shard is None else str(shard)),
        )
        return int(cursor.lastrowid or 0)

    def _last_group(self) -> int:
        row = self._connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'presign_groups'").fetchone()
        with row_values(self.path):
            return int(row[0]) if row is not None else 0

    def _recover(self, now: float) -> None:
        for destination_id, count in self._connection.execute(_COUNT_ASKED).fetchall():
            self._connection.execute(
                "INSERT INTO orphans (destination_id, count, reason, created_at, run_id) VALUES (?, ?, ?, ?, ?)",
                (destination_id, count, INTERRUPTED_CALL, now, self._run_id),
            )
        self._connection.execute(_RESET_ASKED)
        for statement in self._erase_tickets("expires_at <= ?", (now,), now):
            statement.run(self._connection)

    def _erase_tickets(self, which: str, values: tuple[Any, ...], now: float) -> list[Statement]:
        """Return statements that turn live tickets into orphans, except those of stored files, which need them."""
        stored = """EXISTS (SELECT 1 FROM files f WHERE f.destination_id = tickets.destination_id
            AND f.source_id = tickets.source_id AND f.path = tickets.path AND f.state = 'stored')"""
        chosen = f"FROM tickets WHERE {which} AND NOT {stored}"
        orphan = f"""INSERT INTO orphans (destination_id, source_id, path, remote_id, count, reason, created_at, run_id)
            SELECT destination_id, source_id, path, remote_id, 1, '{NOT_USED}', ?, ? {chosen}
                AND (destination_id <> ? OR instr(ticket, '"parts":[') > 0)"""
        idless = -1 if self._statements.creates_ids else self._destination_id
        state = f"""UPDATE files SET state = 'pending' WHERE state = 'ticketed' AND (destination_id, source_id, path)
            IN (SELECT {_FILE} {chosen})"""
        parts = f"DELETE FROM parts WHERE (destination_id, source_id, path) IN (SELECT {_FILE} {chosen})"
        return [
            Statement(orphan, [(now, self._run_id, *values, idless)]),
            Statement(parts, [values]),
            Statement(state, [values]),
            Statement(f"DELETE {chosen}", [values]),
        ]


def _kept_forever(_stored_at: float) -> None:
    """Return None: no deletion date is known."""
