"""The rows of uploaded files for `bulkup verify`, in pages, as plain tuples: there may be millions of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bulkup.helpers.quick_dataclass import dataclass
from bulkup.journal.database import row_values
from bulkup.journal.digest_column import loaded_digest
from bulkup.journal.lookup import decode_remote
from bulkup.journal.reader import Reader
from bulkup.journal.stat_columns import unsigned_stat
from bulkup.model.files import Stat
from bulkup.model.stored_objects import Upload

# The key, then the columns of `stat_of`, in its order.
_PLAIN = "destination_id, source_id, path, size, mtime_ns, ctime_ns, inode, device"
_ALL = f"{_PLAIN}, md5, remote_id, remote, etag, kept_until"
_PAGE = """
SELECT {columns} FROM {table}
WHERE (destination_id, source_id, path) > (?1, ?2, ?3) AND state IN ('uploaded', 'unverified')
ORDER BY destination_id, source_id, path LIMIT ?4
"""
_FIRST = (0, 0, b"")
SOURCE, PATH, STAT = 1, 2, slice(3, 8)  # the places of a row's values

UploadRow = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class UploadRowsOptions:
    """How many rows a page has. A larger page needs more memory, and fewer queries."""

    rows_per_page: int = 2000


_DEFAULTS = UploadRowsOptions()


def upload_pages(
    reader: Reader, *, details: bool = False, options: UploadRowsOptions = _DEFAULTS
) -> Iterator[list[UploadRow]]:
    """Yield the rows of uploaded files, ordered by source and path. Files that are being uploaded again are left out.

    Without `details`, a row has only the key and the `stat` of its file. Raises `JournalError`.
    """
    columns = _ALL if details else _PLAIN
    query, with_groups = (_PAGE.format(columns=columns, table=table) for table in ("main.files", "settled_files"))
    key, full = _FIRST, True
    while full:
        page = reader.rows(query, *key, options.rows_per_page, with_groups=with_groups)
        full = len(page) == options.rows_per_page
        if page:
            key = page[-1][:3]
            yield page


def stat_in(row: UploadRow) -> Stat:
    """Return the `stat` in a row as the system gives it."""
    return unsigned_stat(row[STAT])


def upload_in(row: UploadRow, journal: str) -> Upload:
    """Return what a row with details says about the upload. Raises `JournalError` for a damaged row."""
    with row_values(journal):
        *_, md5, remote_id, remote, etag, kept_until = row
        return Upload(str(remote_id), int(row[3]), loaded_digest(md5), decode_remote(remote), etag, kept_until)
