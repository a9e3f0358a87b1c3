"""What commands ask of a journal: manifest, runs, orphans, status. Needs no lock and disturbs no run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

import orjson

from bulkup.journal.database import open_for_reading, sqlite_errors
from bulkup.journal.lock import Lock
from bulkup.journal.lookup import decode_remote
from bulkup.messages import FileState
from bulkup.records import ManifestRow, OrphanRow, RunRow, Status

_ROWS_AT_ONCE = 500
_MANIFEST = """
SELECT f.path, s.root, f.size, f.md5, f.state, d.provider, f.remote_id, f.remote, f.etag, f.attempts, f.error,
       f.uploaded_at, f.kept_until
FROM files f JOIN sources s ON s.id = f.source_id JOIN destinations d ON d.id = f.destination_id
ORDER BY f.destination_id, f.source_id, f.path
"""
_RUNS = """
SELECT r.run, r.started_at, r.ended_at, r.exit_code, d.provider, d.base_url, r.sources, r.summary
FROM runs r JOIN destinations d ON d.id = r.destination_id ORDER BY r.id DESC
"""
_ORPHANS = """
SELECT o.remote_id, o.count, d.provider, s.root, o.path, o.reason, o.created_at, r.run
FROM orphans o JOIN destinations d ON d.id = o.destination_id JOIN runs r ON r.id = o.run_id
LEFT JOIN sources s ON s.id = o.source_id ORDER BY o.id
"""


class Reader:
    """Owns a read-only connection from its creation to `close`; use it as a context manager."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._connection = open_for_reading(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def manifest(self) -> Iterator[ManifestRow]:
        """Yield every file, ordered by source and path; one row at a time, whatever the journal's size."""
        for row in self._rows(_MANIFEST):
            yield _manifest_row(row)

    def runs(self) -> Iterator[RunRow]:
        """Yield the runs, the newest first."""
        for row in self._rows(_RUNS):
            yield _run_row(row)

    def orphans(self) -> Iterator[OrphanRow]:
        """Yield remote ids that never got their bytes, the oldest first."""
        for row in self._rows(_ORPHANS):
            yield OrphanRow(row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7])

    def status(self) -> Status:
        """Return the journal at a glance."""
        by_state = list(self._rows("SELECT state, count(*), sum(size) FROM files GROUP BY state"))
        ((known, unknown),) = list(
            self._rows(
                """SELECT count(*) FILTER (WHERE remote_id IS NOT NULL),
                coalesce(sum(count) FILTER (WHERE remote_id IS NULL), 0) FROM orphans"""
            )
        )
        newest = list(self._rows(_RUNS + " LIMIT 1"))
        return Status(
            journal=self.path,
            running=Lock(self.path).is_held(),
            files={FileState(state): count for state, count, _ in by_state},
            bytes={FileState(state): size for state, _, size in by_state},
            orphans=known,
            unknown_ids=unknown,
            last_run=_run_row(newest[0]) if newest else None,
        )

    def _rows(self, query: str) -> Iterator[tuple[Any, ...]]:
        # No context is left open across a yield: a reader that stops half-way would run its end at some later time.
        with sqlite_errors(self.path):
            cursor = self._connection.execute(query)
        rows: list[tuple[Any, ...]] | None = None
        while rows is None or rows:
            with sqlite_errors(self.path):
                rows = cursor.fetchmany(_ROWS_AT_ONCE)
            yield from rows


def _manifest_row(row: tuple[Any, ...]) -> ManifestRow:
    path, root, size, md5, state, provider, remote_id, remote, etag, attempts, error, uploaded_at, kept_until = row
    return ManifestRow(
        path=path,
        source=root,
        size=size,
        md5=md5.hex() if md5 else None,
        status=FileState(state),
        provider=provider,
        remote_id=remote_id,
        remote=decode_remote(remote),
        etag=etag,
        attempts=attempts,
        error=error,
        uploaded_at=uploaded_at,
        kept_until=kept_until,
    )


def _run_row(row: tuple[Any, ...]) -> RunRow:
    run, started_at, ended_at, exit_code, provider, base_url, sources, summary = row
    roots = tuple(bytes.fromhex(root) for root in orjson.loads(sources))
    return RunRow(
        run, started_at, ended_at, exit_code, provider, base_url, roots, orjson.loads(summary) if summary else None
    )
