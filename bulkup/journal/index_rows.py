"""The few columns of all files that an index of a journal needs, and single rows by their keys.

Files of presign calls that are not settled have no row of their own yet, and are not among the columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from bulkup.journal.database import row_values
from bulkup.journal.reader import Reader, manifest_row
from bulkup.model.journal_rows import ManifestRow
from bulkup.model.states import FileState

_COLUMNS = """
SELECT destination_id, source_id, path, state, size, attempts, error, uploaded_at, run_id
FROM main.files WHERE (destination_id, source_id, path) > (?1, ?2, ?3)
ORDER BY destination_id, source_id, path LIMIT ?4
"""
_LEFT = "SELECT count(*) FROM main.files WHERE state IN ('failed', 'rejected', 'changed', 'unreadable')"
_ROW = """
SELECT s.root, d.provider, f.path, f.size, f.md5, f.state, f.remote_id, f.remote, f.etag, f.attempts, f.error,
       f.uploaded_at, f.kept_until, f.mtime_ns, f.ctime_ns, f.inode, f.device, f.run_id
FROM destinations d CROSS JOIN sources s CROSS JOIN files f
    ON f.destination_id = d.id AND f.source_id = s.id AND f.path = ?3
WHERE d.id = ?1 AND s.id = ?2
"""


class FileKey(NamedTuple):
    """The key of a file's row: the numbers of destination and source, and the path in the source."""

    destination: int
    source: int
    path: bytes


class IndexRow(NamedTuple):
    """A file in an index. `error` is the column, for `shown_reason`; None for a file without a problem."""

    key: FileKey
    state: FileState
    size: int
    attempts: int
    error: str | None
    uploaded_at: float | None
    run: int


def index_rows(reader: Reader) -> Iterator[IndexRow]:
    """Yield all files that have rows, in the order of their keys. Raises `JournalError`."""
    states = {state.value: state for state in FileState}
    pages = reader.pages(_COLUMNS, (0, 0, b""))
    with row_values(reader.path):  # around the loop: a million times it would take a second
        for destination, source, path, state, size, attempts, error, uploaded_at, run in pages:
            key = FileKey(destination, source, path)
            yield IndexRow(key, states[state], size, attempts, error, uploaded_at, run)


def rows_of(reader: Reader, keys: Iterable[FileKey]) -> Iterator[tuple[FileKey, ManifestRow]]:
    """Yield the present rows of files in the order of `keys`; those that are gone are left out."""
    for key in keys:
        for root, provider, *row in reader.rows(_ROW, *key):
            with row_values(reader.path):
                found = manifest_row(root, provider, row)
            yield key, found


def files_left(reader: Reader) -> int:
    """Return how many files were tried and are not uploaded. Reads the whole table. Raises `JournalError`."""
    ((count,),) = reader.rows(_LEFT)
    return int(count)


def run_names(reader: Reader) -> dict[int, tuple[str, float]]:
    """Return the id and the start (Unix time) of each run, by its number."""
    return {number: (run, started) for number, run, started in reader.rows("SELECT id, run, started_at FROM runs")}
