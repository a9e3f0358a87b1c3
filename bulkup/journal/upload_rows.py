"""The rows of uploaded files for `bulkup verify`, in pages, as plain tuples: there may be millions of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from bulkup.helpers.quick_dataclass import dataclass
from bulkup.journal.database import row_values
from bulkup.journal.digest_column import loaded_digest
from bulkup.journal.lookup import decode_remote
from bulkup.journal.reader import Reader
from bulkup.journal.skipped_rejections import NOT_SKIPPED, skipping_run
from bulkup.journal.stat_columns import unsigned_stat
from bulkup.model.files import Stat
from bulkup.model.states import NOT_UPLOADED
from bulkup.model.stored_objects import Upload

# The path, then the columns of `stat_of`, in its order.
_PLAIN = "path, size, mtime_ns, ctime_ns, inode, device"
_ALL = f"{_PLAIN}, md5, remote_id, remote, etag, kept_until"
# A range of the key. Compared with a page over all sources, it takes a fifth less time.
_PAGE = """
SELECT {columns} FROM {table}
WHERE destination_id = ?1 AND source_id = ?2 AND path > ?3{until} AND state IN ('uploaded', 'unverified')
ORDER BY path LIMIT ?4
"""
_PARTS = "SELECT d.id, s.id FROM destinations d CROSS JOIN sources s ORDER BY d.id, s.id"
_COUNTS = """
SELECT destination_id, source_id, count(*) FROM main.files WHERE state IN ('uploaded', 'unverified')
GROUP BY destination_id, source_id ORDER BY destination_id, source_id
"""
# A removal holds for uploads of its own run and of earlier ones.
_REMOVED = """
SELECT r.path FROM removed r JOIN main.files f USING (destination_id, source_id, path)
WHERE r.destination_id = ? AND r.source_id = ? AND r.run_id >= f.run_id AND r.path IN ({paths})
"""
_PATHS_AT_ONCE = 500  # SQLite takes 999 values in its oldest version
_NTH = _PAGE.format(columns="path", table="main.files", until="") + "OFFSET ?5"
_OTHERS = f"SELECT count(*) FROM files WHERE state IN ({', '.join(f'{state.value!r}' for state in NOT_UPLOADED)})"
PATH, STAT = 0, slice(1, 6)  # the places of a row's values

UploadRow = tuple[Any, ...]
Key = tuple[int, int, bytes]  # the numbers of destination and source, and the path


class UploadPage(NamedTuple):
    """Some rows of one source at one destination, by their numbers."""

    destination: int
    source: int
    rows: list[UploadRow]


class Share(NamedTuple):
    """The rows after one key, up to another one. None stands for the end."""

    after: Key = (0, 0, b"")
    until: Key | None = None


@dataclass(frozen=True, slots=True)
class UploadRowsOptions:
    """How many rows a page has. A larger page needs more memory, and fewer queries."""

    rows_per_page: int = 2000


_DEFAULTS = UploadRowsOptions()
_EVERYTHING = Share()


def upload_pages(
    reader: Reader,
    *,
    details: bool = False,
    options: UploadRowsOptions = _DEFAULTS,
    share: Share = _EVERYTHING,
) -> Iterator[UploadPage]:
    """Yield the rows of uploaded files, ordered by source and path. Files that are being uploaded again are left out.

    Without `details`, a row has only the path and the `stat` of its file. Raises `JournalError`.
    """
    columns, size = _ALL if details else _PLAIN, options.rows_per_page
    for destination, source in reader.rows(_PARTS):
        here = destination, source
        if here < share.after[:2] or (share.until is not None and here > share.until[:2]):
            continue
        last = share.until[2] if share.until is not None and here == share.until[:2] else None
        until = "" if last is None else " AND path <= ?5"
        query, with_groups = (
            _PAGE.format(columns=columns, table=table, until=until) for table in ("main.files", "settled_files")
        )
        after, full = share.after[2] if here == share.after[:2] else b"", True
        while full:
            values = (*here, after, size, *([] if last is None else [last]))
            rows = reader.rows(query, *values, with_groups=with_groups)
            full = len(rows) == size
            if rows:
                after = rows[-1][PATH]
                yield UploadPage(destination, source, rows)


def split_uploads(reader: Reader, most: int, least_rows: int) -> list[Share]:
    """Divide the rows into at most `most` shares of about the same size, of `least_rows` or more. They are in order."""
    parts = reader.rows(_COUNTS)
    total = sum(count for _, _, count in parts)
    number = max(1, min(most, total // least_rows))
    ends: list[Key] = []
    for target in (total * share // number for share in range(1, number)):
        left = target - 1
        for destination, source, count in parts:
            if left < count:
                ((path,),) = reader.rows(_NTH, destination, source, b"", 1, left)
                ends.append((destination, source, path))
                break
            left -= count
    return [Share(*ends) for ends in zip([_EVERYTHING.after, *ends], [*ends, None], strict=True)]


def removed_paths(reader: Reader, page: UploadPage, numbers: Sequence[int]) -> set[bytes]:
    """Return the paths, of some rows of a page by their numbers, that a run has removed from their source."""
    found = set[bytes]()
    paths = [page.rows[number][PATH] for number in numbers]
    for start in range(0, len(paths), _PATHS_AT_ONCE):
        some = paths[start : start + _PATHS_AT_ONCE]
        query = _REMOVED.format(paths=", ".join("?" * len(some)))
        found.update(path for (path,) in reader.rows(query, page.destination, page.source, *some))
    return found


def files_not_uploaded(reader: Reader) -> int:
    """Return how many files no run has uploaded, without those in progress and those that were skipped."""
    return int(reader.rows(f"{_OTHERS} AND {NOT_SKIPPED.format(run=skipping_run(reader))}")[0][0])


def stat_in(row: UploadRow) -> Stat:
    """Return the `stat` in a row as the system gives it."""
    return unsigned_stat(row[STAT])


def upload_in(row: UploadRow, journal: str) -> Upload:
    """Return the upload that a row with details describes. Raises `JournalError` for a damaged row."""
    with row_values(journal):
        *_, md5, remote_id, remote, etag, kept_until = row
        return Upload(str(remote_id), int(row[1]), loaded_digest(md5), decode_remote(remote), etag, kept_until)
