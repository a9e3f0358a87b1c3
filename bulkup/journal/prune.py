"""Deletes old rows from a journal, and returns their space to the disk.

Old runs with their records, orphans and files are deleted if the files were never uploaded and no later run has found
them. Rows of uploaded files stay at any age, because only the manifest knows their ids. So do files in progress with
their tickets, and the newest run of each destination.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3

import anyio

from bulkup.errors import JournalLockedError
from bulkup.journal.database import open_for_writing, sqlite_errors
from bulkup.journal.earlier_versions import open_any_version
from bulkup.journal.lock import Lock
from bulkup.journal.open_files import OpenFiles
from bulkup.journal.unfolding import unfold
from bulkup.model.journal_rows import PruneCounts

_OLD_ORPHANS = "created_at < :before"
# A run stays as long as an orphan refers to it.
_KEPT_RUNS = f"""
SELECT id FROM runs WHERE coalesce(ended_at, started_at) >= :before
UNION SELECT max(id) FROM runs GROUP BY destination_id
UNION SELECT run_id FROM orphans WHERE NOT {_OLD_ORPHANS}
"""
_OLD_RUNS = f"id NOT IN ({_KEPT_RUNS})"
# Each run that finds such a file writes its number into the row. A row with an old run's number was not found since.
_OLD_FILES = f"""state IN ('pending', 'failed', 'rejected', 'changed', 'unreadable') AND remote_id IS NULL
    AND run_id NOT IN ({_KEPT_RUNS})"""
_COUNTS = f"""
SELECT (SELECT count(*) FROM runs WHERE {_OLD_RUNS}),
       (SELECT count(*) FROM orphans WHERE superseded_by IS NULL AND {_OLD_ORPHANS}),
       (SELECT count(*) FROM orphans WHERE superseded_by IS NOT NULL AND {_OLD_ORPHANS}),
       (SELECT count(*) FROM files WHERE {_OLD_FILES})
"""
_FORGET_RECORDS = "DELETE FROM run_records WHERE run_id NOT IN (SELECT id FROM runs)"
# In this order: which files are old depends on runs, and which runs are old depends on orphans.
_DELETIONS = (
    f"DELETE FROM files WHERE {_OLD_FILES}",
    f"DELETE FROM runs WHERE {_OLD_RUNS}",
    f"DELETE FROM orphans WHERE {_OLD_ORPHANS}",
    _FORGET_RECORDS,
)
# Removals of files whose rows were deleted, and those before a later upload of the same path.
_FORGET_REMOVALS = """
DELETE FROM removed WHERE NOT EXISTS (SELECT 1 FROM files f WHERE f.destination_id = removed.destination_id
    AND f.source_id = removed.source_id AND f.path = removed.path AND f.run_id <= removed.run_id)
"""
# Of a watch: the rows of files that were not uploaded, and orphans, show their run.
_FORGET_RUNS = """
DELETE FROM runs WHERE coalesce(ended_at, started_at) < :before
    AND id NOT IN (SELECT max(id) FROM runs GROUP BY destination_id)
    AND id NOT IN (SELECT run_id FROM orphans)
    AND id NOT IN (SELECT run_id FROM files WHERE state NOT IN ('uploaded', 'unverified'))
"""
# Claims of files whose rows were deleted.
_UNCLAIM = """
DELETE FROM places WHERE NOT EXISTS (SELECT 1 FROM files f WHERE f.destination_id = places.destination_id
    AND f.source_id = places.source_id AND f.path = places.path)
"""


async def prune(path: str, before: float) -> PruneCounts:
    """Delete rows older than the Unix time `before`, and shrink the file, under the lock.

    Shrinking writes a new file, so the disk needs free space of the journal's size.

    Raises `JournalLockedError` during a run, and `JournalError`.
    """
    open_any_version(path).close()  # fails if the journal does not exist; opening it for writing would create it
    with Lock(path) as lock:
        try:
            await lock.acquire(wait=False, sleep=anyio.sleep)
        except JournalLockedError as error:
            raise JournalLockedError(error.message, hint="prune it when that run has ended") from error
        return await anyio.to_thread.run_sync(_prune, path, before)


def forget_old_runs(path: str, before: float) -> int:
    """Delete runs that ended before a Unix time, and their records, and return their number. It blocks.

    The caller holds the lock, and no run is under way. Files and orphans stay, and so do the runs that they need.
    Their space is used again: the file does not become smaller. Raises `JournalError`.
    """
    with contextlib.closing(open_for_writing(path)) as connection, sqlite_errors(path):
        connection.execute("BEGIN IMMEDIATE")
        unfold(connection)
        forgotten = connection.execute(_FORGET_RUNS, {"before": before}).rowcount
        connection.execute(_FORGET_RECORDS)
        connection.execute("COMMIT")
    return forgotten


def prune_dry_run(path: str, before: float) -> PruneCounts:
    """Return the number of rows that `prune` would delete, without a lock. Raises `JournalError`."""
    with contextlib.closing(open_any_version(path)) as connection, sqlite_errors(path):
        OpenFiles(connection).refresh()
        size = os.path.getsize(path)
        return PruneCounts(*_counted(connection, before), size, size)


def _prune(path: str, before: float) -> PruneCounts:
    size = os.path.getsize(path)
    with contextlib.closing(open_for_writing(path)) as connection, sqlite_errors(path):
        connection.execute("BEGIN IMMEDIATE")
        unfold(connection)
        counts = _counted(connection, before)
        for statement in _DELETIONS:
            connection.execute(statement, {"before": before})
        connection.execute(_FORGET_REMOVALS)
        connection.execute(_UNCLAIM)
        connection.execute("COMMIT")
        (free,) = connection.execute("PRAGMA freelist_count").fetchone()
        if free:
            connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return PruneCounts(*counts, size, os.path.getsize(path))


def _counted(connection: sqlite3.Connection, before: float) -> tuple[int, int, int, int]:
    runs, orphans, superseded, files = connection.execute(_COUNTS, {"before": before}).fetchone()
    return runs, orphans, superseded, files
