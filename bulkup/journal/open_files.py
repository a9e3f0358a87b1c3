"""Shows readers the files in groups as if they had rows of their own, by temporary views over the journal's tables.

The files in groups are read into a temporary table when there are any, without their tickets. While a run is under way,
this is repeated before each query. A group is read again only after its call was answered.
"""

from __future__ import annotations

import sqlite3

from bulkup.journal.database import has_groups
from bulkup.journal.stat_columns import signed_stat
from bulkup.journal.unfolding import GroupRow, groups

_KEY = "o.destination_id = m.destination_id AND o.source_id = m.source_id AND o.path = m.path"
_COLUMNS = """
    destination_id INTEGER, source_id INTEGER, path BLOB, group_id INTEGER, run_id INTEGER, state TEXT, size INTEGER,
    mtime_ns INTEGER, ctime_ns INTEGER, inode INTEGER, device INTEGER, md5 BLOB, attempts INTEGER, place TEXT,
    ticket_id TEXT
"""
_VIEWS = (
    f"CREATE TEMP TABLE open_files ({_COLUMNS}, PRIMARY KEY (destination_id, source_id, path)) WITHOUT ROWID",
    f"""
    CREATE TEMP VIEW settled_files AS
    SELECT destination_id, source_id, path, state, size, mtime_ns, ctime_ns, inode, device, md5, remote_id, remote,
           etag, verified, attempts, error, uploaded_at, kept_until, run_id, place
    FROM main.files m
    WHERE NOT EXISTS (SELECT 1 FROM open_files o WHERE {_KEY} AND o.group_id > coalesce(m.after_group, 0))
    """,
    f"""
    CREATE TEMP VIEW grouped_files AS
    SELECT o.destination_id, o.source_id, o.path, o.state, o.size, o.mtime_ns, o.ctime_ns, o.inode, o.device, o.md5,
           m.remote_id, m.remote, m.etag, m.verified, o.attempts, NULL AS error, m.uploaded_at, m.kept_until, o.run_id,
           o.place, o.ticket_id
    FROM open_files o LEFT JOIN main.files m ON {_KEY}
    WHERE coalesce(m.after_group, 0) < o.group_id
    """,
    """
    CREATE TEMP VIEW files AS SELECT * FROM settled_files
    UNION ALL
    SELECT destination_id, source_id, path, state, size, mtime_ns, ctime_ns, inode, device, md5, remote_id, remote,
           etag, verified, attempts, error, uploaded_at, kept_until, run_id, place
    FROM grouped_files
    """,
)
# A file that was asked for again is in two groups. The later one is in force.
_KEEP = f"""
INSERT INTO open_files VALUES ({", ".join("?" * 15)})
ON CONFLICT DO UPDATE SET group_id = excluded.group_id, run_id = excluded.run_id, state = excluded.state,
    size = excluded.size, mtime_ns = excluded.mtime_ns, ctime_ns = excluded.ctime_ns, inode = excluded.inode,
    device = excluded.device, md5 = excluded.md5, attempts = excluded.attempts, place = excluded.place,
    ticket_id = excluded.ticket_id
WHERE excluded.group_id >= open_files.group_id
"""


class OpenFiles:
    """The files in groups, as a reader's connection sees them. Used by one thread at a time.

    `any` says whether there were some. Then the view `files` has them as well as all others, `settled_files` only the
    others, and `grouped_files` only them. A query of pages takes both parts: SQLite would sort the whole of `files`.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.any = False
        self._connection = connection
        self._has_groups = has_groups(connection)
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
        if not self.any:
            self._make_views()
        for number in self._known.keys() - now.keys():
            self._connection.execute("DELETE FROM open_files WHERE group_id = ?", (number,))
        changed = [str(number) for number, answered in now.items() if self._known.get(number) != answered]
        if changed:
            which = f"WHERE id IN ({', '.join(changed)})"
            for group in groups(self._connection, with_tickets=False, which=which):
                self._connection.executemany(_KEEP, _rows(group))
        self._known = now

    def _make_views(self) -> None:
        for statement in _VIEWS:
            self._connection.execute(statement)
        self.any = True


def _rows(group: GroupRow) -> list[tuple[object, ...]]:
    number, destination_id, run_id = group.numbers
    return [
        (
            *(destination_id, file.source_id, file.path, number, run_id, file.state),
            *signed_stat(file.stat),
            *(file.md5, file.attempts, file.place, file.remote_id),
        )
        for file in group.files
    ]
