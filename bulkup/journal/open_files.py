"""Shows readers the files in groups as if they had rows of their own, by temporary views over the journal's tables.

The rows of groups are read into a temporary table in memory, when there are any. While a run is under way, this is
repeated before each query; a group is read again only after its call was answered.
"""

from __future__ import annotations

import sqlite3

from bulkup.journal.database import has_groups
from bulkup.journal.stat_columns import signed_stat
from bulkup.journal.ticket_text import dump
from bulkup.journal.unfolding import GroupRow, groups

_KEY = "o.destination_id = m.destination_id AND o.source_id = m.source_id AND o.path = m.path"
_NEWER_ROW = f"EXISTS (SELECT 1 FROM main.files m WHERE {_KEY} AND m.after_group >= o.group_id)"
_VIEWS = f"""
CREATE TEMP TABLE open_files (
    destination_id INTEGER, source_id INTEGER, path BLOB, group_id INTEGER, run_id INTEGER, state TEXT, size INTEGER,
    mtime_ns INTEGER, ctime_ns INTEGER, inode INTEGER, device INTEGER, md5 BLOB, attempts INTEGER, place TEXT,
    remote_id TEXT, expires_at REAL, ticket TEXT,
    PRIMARY KEY (destination_id, source_id, path)
) WITHOUT ROWID;
CREATE TEMP VIEW files AS
SELECT destination_id, source_id, path, state, size, mtime_ns, ctime_ns, inode, device, md5, remote_id, remote, etag,
       verified, attempts, error, uploaded_at, kept_until, run_id, place
FROM main.files m
WHERE NOT EXISTS (SELECT 1 FROM open_files o WHERE {_KEY} AND o.group_id > coalesce(m.after_group, 0))
UNION ALL
SELECT o.destination_id, o.source_id, o.path, o.state, o.size, o.mtime_ns, o.ctime_ns, o.inode, o.device, o.md5,
       m.remote_id, m.remote, m.etag, m.verified, o.attempts, NULL, m.uploaded_at, m.kept_until, o.run_id, o.place
FROM open_files o LEFT JOIN main.files m ON {_KEY}
WHERE coalesce(m.after_group, 0) < o.group_id;
CREATE TEMP VIEW tickets AS
SELECT destination_id, source_id, path, remote_id, expires_at, ticket FROM main.tickets
UNION ALL
SELECT o.destination_id, o.source_id, o.path, o.remote_id, o.expires_at, o.ticket FROM open_files o
WHERE o.remote_id IS NOT NULL AND NOT {_NEWER_ROW};
"""
_COLUMNS = 17
# A file that was asked for again is in two groups. The later one is in force.
_KEEP = f"""
INSERT INTO open_files VALUES ({", ".join("?" * _COLUMNS)})
ON CONFLICT DO UPDATE SET group_id = excluded.group_id, run_id = excluded.run_id, state = excluded.state,
    size = excluded.size, mtime_ns = excluded.mtime_ns, ctime_ns = excluded.ctime_ns, inode = excluded.inode,
    device = excluded.device, md5 = excluded.md5, attempts = excluded.attempts, place = excluded.place,
    remote_id = excluded.remote_id, expires_at = excluded.expires_at, ticket = excluded.ticket
WHERE excluded.group_id >= open_files.group_id
"""


class OpenFiles:
    """The files in groups, as a reader's connection sees them. Used by one thread at a time."""

    def __init__(self, connection: sqlite3.Connection, *, with_tickets: bool = False) -> None:
        """`with_tickets` says whether the temporary rows have the texts of the tickets."""
        self._connection = connection
        self._with_tickets = with_tickets
        self._has_groups = has_groups(connection)
        if self._has_groups:
            connection.execute("PRAGMA temp_store = MEMORY")
        self._has_views = False
        self._known: dict[int, bool] = {}  # the groups that were read, and whether their calls were answered

    def refresh(self) -> None:
        """Read the groups that have come or changed. Raises `sqlite3.Error`, `DamagedTicketError`.

        A query in the same transaction sees the files as they were at one moment.
        """
        if not self._has_groups:
            return
        now = dict(self._connection.execute("SELECT id, answers IS NOT NULL FROM presign_groups"))
        if now == self._known:
            return
        if not self._known:
            self._make_views()
        for number in self._known.keys() - now.keys():
            self._connection.execute("DELETE FROM open_files WHERE group_id = ?", (number,))
        changed = [str(number) for number, answered in now.items() if self._known.get(number) != answered]
        if changed:
            which = f"WHERE id IN ({', '.join(changed)})"
            for group in groups(self._connection, with_tickets=self._with_tickets, which=which):
                self._connection.executemany(_KEEP, self._rows(group))
        self._known = now

    def _make_views(self) -> None:
        if not self._has_views:
            for statement in _VIEWS.split(";")[:-1]:
                self._connection.execute(statement)
            self._has_views = True

    def _rows(self, group: GroupRow) -> list[tuple[object, ...]]:
        number, destination_id, run_id = group.numbers
        texts = [None if ticket is None else dump(ticket) for ticket in group.tickets] or [None] * len(group.files)
        return [
            (
                *(destination_id, file.source_id, file.path, number, run_id, file.state),
                *signed_stat(file.stat),
                *(file.md5, file.attempts, file.place, file.remote_id, file.expires_at, text),
            )
            for file, text in zip(group.files, texts, strict=True)
        ]
