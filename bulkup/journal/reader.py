"""Reads a journal for commands: manifest, runs, orphans, status. Needs no lock and does not disturb a run.

Long results are read in pages, each by a query of its own that begins after the last key. Between pages no transaction
is open, however long the caller takes: it would keep the write-ahead log of a run from being emptied. So the rows of a
result can be of different moments, but each row is there once.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from typing import Any, Self

import orjson

from bulkup.helpers.clock import Clock, SystemClock
from bulkup.helpers.quick_dataclass import dataclass
from bulkup.journal.database import BUSY_WAIT, row_values, sqlite_errors
from bulkup.journal.destination import Destination
from bulkup.journal.digest_column import loaded_digest
from bulkup.journal.earlier_versions import open_any_version
from bulkup.journal.kept_rejections import shown_reason
from bulkup.journal.lock import Lock
from bulkup.journal.lookup import decode_remote
from bulkup.journal.open_files import OpenFiles
from bulkup.journal.sources import KnownSource, find_source_id, known_sources
from bulkup.journal.stat_columns import unsigned_stat
from bulkup.model.files import Identity, Source
from bulkup.model.journal_rows import JournalStatus, ManifestRow, OrphanRow, RunRow
from bulkup.model.states import FileState

_LAST = (1 << 63) - 1
_AFTER_ALL_PATHS = b"\xff" * 4097  # PATH_MAX is 4096
# The first columns of these queries are the key. CROSS JOIN keeps the order of the tables, and so that of the key. The
# files are not joined: a view over them would be read as a whole.
_MANIFEST_OF = """
SELECT destination_id, source_id, path, size, md5, state, remote_id, remote, etag, attempts, error, uploaded_at,
       kept_until, mtime_ns, ctime_ns, inode, device, run_id
FROM {table} WHERE (destination_id, source_id, path) > (?1, ?2, ?3){which}
ORDER BY destination_id, source_id, path LIMIT ?4
"""
_WITH_GROUPS = """
SELECT * FROM ({settled}) UNION ALL SELECT * FROM ({grouped}) ORDER BY 1, 2, 3 LIMIT ?4
"""
_RUNS = """
SELECT r.id, r.run, r.started_at, r.ended_at, r.exit_code, d.provider, d.base_url, r.sources, r.summary, r.shard
FROM runs r CROSS JOIN destinations d ON d.id = r.destination_id WHERE r.id < ? ORDER BY r.id DESC LIMIT ?
"""
_RUNS_BY_NAME = "SELECT id FROM runs WHERE substr(run, 1, ?) = ? ORDER BY id DESC LIMIT 3"
_FILE_KNOWN = """
SELECT 1 FROM sources s CROSS JOIN destinations d CROSS JOIN files f
    ON f.destination_id = d.id AND f.source_id = s.id AND f.path = ?2
WHERE s.root = ?1 LIMIT 1
"""
_ORPHANS = """
SELECT o.id, o.remote_id, o.count, d.provider, s.root, o.path, o.reason, o.created_at, r.run, o.superseded_by,
       o.kept_until
FROM orphans o CROSS JOIN destinations d ON d.id = o.destination_id CROSS JOIN runs r ON r.id = o.run_id
LEFT JOIN sources s ON s.id = o.source_id WHERE o.id > ? AND superseded_by {} NULL ORDER BY o.id LIMIT ?
"""
_ORPHANS_BY_KIND = """
SELECT count(*) FILTER (WHERE remote_id IS NOT NULL AND superseded_by IS NULL),
       coalesce(sum(count) FILTER (WHERE remote_id IS NULL), 0),
       count(superseded_by)
FROM orphans
"""
# Only the ids of tickets are read, never their text, which holds signatures.
_INTERRUPTED_CALLS = """
SELECT t.remote_id, 1, d.provider, s.root, t.path, 'its ticket was not used yet', r.started_at, r.run
FROM tickets t JOIN main.files f USING (destination_id, source_id, path) JOIN runs r ON r.id = f.run_id
JOIN destinations d ON d.id = t.destination_id JOIN sources s ON s.id = t.source_id
UNION ALL
SELECT NULL, count(*), d.provider, NULL, NULL, 'the call was cut off before its answer', r.started_at, r.run
FROM {files} f JOIN runs r ON r.id = f.run_id JOIN destinations d ON d.id = f.destination_id
WHERE f.state = 'asked' GROUP BY d.id, r.id
"""
_INTERRUPTED = _INTERRUPTED_CALLS.format(files="main.files")
_INTERRUPTED_WITH_GROUPS = f"""
{_INTERRUPTED_CALLS.format(files="grouped_files")} UNION ALL
SELECT g.ticket_id, 1, d.provider, s.root, g.path, 'its ticket was not used yet', r.started_at, r.run
FROM grouped_files g JOIN runs r ON r.id = g.run_id JOIN destinations d ON d.id = g.destination_id
JOIN sources s ON s.id = g.source_id WHERE g.ticket_id IS NOT NULL
"""
# In two sums, because SQLite's integers have 64 bits, and sparse files can have exabytes.
_FILES_BY_STATE = """
SELECT state, count(*), sum(size >> 32), sum(size & 0xFFFFFFFF),
       count(*) FILTER (WHERE kept_until <= ? AND state IN ('uploaded', 'unverified'))
FROM files GROUP BY state
"""


@dataclass(frozen=True, slots=True)
class ReaderOptions:
    """How many rows a query reads at most, and the seconds that it waits for the lock of another program."""

    rows_per_page: int = 500
    busy_wait: float = BUSY_WAIT


_DEFAULTS = ReaderOptions()


class Reader:
    """Owns a read-only connection until `close`. Use it as a context manager."""

    def __init__(self, path: str, clock: Clock | None = None, options: ReaderOptions = _DEFAULTS) -> None:
        self.path = path
        self._options = options
        self._clock = clock or SystemClock()
        self._connection = open_any_version(path, options.busy_wait)
        self._open_files = OpenFiles(self._connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def connection(self) -> sqlite3.Connection:
        """The connection, for modules of this package."""
        return self._connection

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def manifest(self, states: Collection[FileState] = (), since: int = 0) -> Iterator[ManifestRow]:
        """Yield the rows of files, ordered by source and path, in constant memory.

        Without `states`, of all states. With `since`, the number of a run, only rows that it or a later run wrote.
        """
        yield from (row for _, _, row in self._manifest((0, 0, b""), states, since))

    def manifest_of(self, destination_id: int, source_id: int) -> Iterator[ManifestRow]:
        """Yield the rows of the files of one source at one destination, ordered by path, in constant memory."""
        before = (destination_id, source_id - 1, _AFTER_ALL_PATHS)
        for destination, source, row in self._manifest(before, (), 0):
            if (destination, source) != (destination_id, source_id):
                return
            yield row

    def _manifest(
        self, after: tuple[int, int, bytes], states: Collection[FileState], since: int
    ) -> Iterator[tuple[int, int, ManifestRow]]:
        """Yield the rows whose key follows `after`, with the numbers of destination and source."""
        roots, providers, which = dict[int, bytes](), dict[int, str](), _condition(states, since)
        query, settled, grouped = (
            _MANIFEST_OF.format(table=table, which=which) for table in ("main.files", "settled_files", "grouped_files")
        )
        with_groups = _WITH_GROUPS.format(settled=settled, grouped=grouped)
        for destination_id, source_id, *row in self.pages(query, after, with_groups):
            if source_id not in roots or destination_id not in providers:
                roots.update(self.rows("SELECT id, root FROM sources"))
                providers.update(self.rows("SELECT id, provider FROM destinations"))
            with row_values(self.path):
                found = manifest_row(roots[source_id], providers[destination_id], row)
            yield destination_id, source_id, found

    def runs(self, up_to: int = _LAST - 1) -> Iterator[RunRow]:
        """Yield the runs, the newest first. With `up_to`, the number of a run, begin with that one."""
        held = Lock(self.path).is_held()  # by the newest run, if it has not ended
        newest = next(iter(self.run_numbers("last")), 0)
        for number, *row in self.pages(_RUNS, (up_to + 1,)):
            with row_values(self.path):
                run = _run_row(tuple(row), running=held and number == newest)
            yield run

    def run_numbers(self, name: str) -> list[int]:
        """Return the numbers of the runs whose id begins with `name`; `last` names the newest."""
        if name == "last":
            return [number for (number,) in self.rows("SELECT id FROM runs ORDER BY id DESC LIMIT 1")]
        return [number for (number,) in self.rows(_RUNS_BY_NAME, len(name), name)]

    def sources(self) -> Sequence[KnownSource]:
        """Return the sources of all runs."""
        with sqlite_errors(self.path):
            return known_sources(self._connection)

    def destinations(self) -> dict[int, Destination]:
        """Return the destinations of all runs by their numbers."""
        rows = self.rows("SELECT id, provider, base_url, scope FROM destinations ORDER BY id")
        return {number: Destination(*row) for number, *row in rows}

    def run_times(self) -> dict[int, float]:
        """Return the times at which the runs began, as Unix times by their numbers."""
        return dict(self.rows("SELECT id, started_at FROM runs ORDER BY id"))

    def knows_source(self, root: bytes, name: str | None = None) -> bool:
        """Return whether a run had this source, by its real path or by its name."""
        with sqlite_errors(self.path):
            return find_source_id(self._connection, Source(root, name=name)) is not None

    def knows_file(self, root: bytes, path: bytes) -> bool:
        """Return whether there is a row of a file in the source with this real path."""
        return bool(self.rows(_FILE_KNOWN, root, path))

    def orphans(self) -> Iterator[OrphanRow]:
        """Yield remote ids without an upload, the oldest first."""
        for row in self.pages(_ORPHANS.format("IS"), (0,)):
            yield OrphanRow(*row[1:])

    def superseded(self) -> Iterator[OrphanRow]:
        """Yield remote ids of earlier uploads of files that were uploaded again, the oldest first."""
        for row in self.pages(_ORPHANS.format("IS NOT"), (0,)):
            yield OrphanRow(*row[1:])

    def interrupted(self) -> Iterator[OrphanRow]:
        """Yield the ids of live tickets, and the number of calls without an answer, that an interrupted run has left.

        The next run uses these tickets if it can, and makes orphans of the others.
        """
        for row in self.rows(_INTERRUPTED, with_groups=_INTERRUPTED_WITH_GROUPS):
            yield OrphanRow(*row)

    def status(self) -> JournalStatus:
        """Return the numbers of files and ids in each state, and the last run."""
        by_state = self.rows(_FILES_BY_STATE, self._clock.now())
        ((known, unknown, superseded),) = self.rows(_ORPHANS_BY_KIND)
        with row_values(self.path):
            files = {FileState(state): count for state, count, *_ in by_state}
            sizes = {FileState(state): (high << 32) + low for state, _, high, low, _ in by_state}
        return JournalStatus(
            journal=self.path,
            running=Lock(self.path).is_held(),
            files=files,
            bytes=sizes,
            orphans=known,
            unknown_ids=unknown,
            last_run=next(self.runs(), None),
            superseded=superseded,
            expired=sum(expired for *_, expired in by_state),
        )

    def rows(self, query: str, *values: Any, with_groups: str = "") -> list[tuple[Any, ...]]:
        """Return the rows of a query, all as they were at one moment.

        `with_groups` replaces the query where files are in groups.
        """
        with sqlite_errors(self.path):
            self._connection.execute("BEGIN")
            try:
                self._open_files.refresh()
                chosen = with_groups if with_groups and self._open_files.any else query
                return self._connection.execute(chosen, values).fetchall()
            finally:
                self._connection.execute("COMMIT")

    def stream(self, query: str, *values: Any) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a query one by one, all as they were at one moment.

        The caller reads them at once: a transaction is open meanwhile.
        """
        with sqlite_errors(self.path):
            self._connection.execute("BEGIN")
            try:
                self._open_files.refresh()
                yield from self._connection.execute(query, values)
            finally:
                self._connection.execute("COMMIT")

    def pages(self, query: str, first: tuple[Any, ...], with_groups: str = "") -> Iterator[tuple[Any, ...]]:
        """Yield the rows after the key `first`. The first columns of a row are its key."""
        key, full = first, True
        while full:
            rows = self.rows(query, *key, self._options.rows_per_page, with_groups=with_groups)
            full = len(rows) == self._options.rows_per_page
            yield from rows
            key = rows[-1][: len(first)] if rows else key


def _condition(states: Collection[FileState], since: int) -> str:
    """Return the condition for rows of these states, and of runs from the number `since` on."""
    listed = ", ".join(f"'{state.value}'" for state in sorted(states))
    return (f" AND state IN ({listed})" if listed else "") + (f" AND run_id >= {since:d}" if since else "")


def manifest_row(root: bytes, provider: str, row: Sequence[Any]) -> ManifestRow:
    """Return a row of the manifest; `row` has its columns from the path on."""
    path, size, md5, state, remote_id, remote, etag, attempts, error, uploaded_at, kept_until, *stat, run = row
    digest = loaded_digest(md5)
    return ManifestRow(
        path=path,
        source=root,
        size=size,
        md5=digest.hex if digest is not None and digest.algorithm == "md5" else None,
        status=FileState(state),
        provider=provider,
        remote_id=remote_id,
        remote=decode_remote(remote),
        etag=etag,
        attempts=attempts,
        error=shown_reason(error),
        uploaded_at=uploaded_at,
        kept_until=kept_until,
        checksum=digest.text if digest is not None else None,
        identity=Identity(*unsigned_stat((size, *stat))),
        run=run,
    )


def _run_row(row: tuple[Any, ...], *, running: bool) -> RunRow:
    run, started_at, ended_at, exit_code, provider, base_url, sources, summary, shard = row
    roots = tuple(bytes.fromhex(root) for root in orjson.loads(sources))
    is_running = running and ended_at is None
    # Sums may exceed the 64 bits of orjson's integers.
    loaded = json.loads(summary, parse_constant=_refused) if summary else None
    if not isinstance(run, str) or not isinstance(provider, str) or not isinstance(base_url, str):
        raise TypeError("not a text")
    if loaded is not None and not isinstance(loaded, dict):
        raise TypeError("a summary is an object")
    return RunRow(
        run,
        float(started_at),
        None if ended_at is None else float(ended_at),
        None if exit_code is None else int(exit_code),
        provider,
        base_url,
        roots,
        loaded,
        is_running,
        shard,
    )


def _refused(constant: str) -> Any:
    """Raise ValueError for a figure that is none (`NaN`, `Infinity`): JSON has no such numbers."""
    raise ValueError(constant)
