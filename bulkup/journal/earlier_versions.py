"""Read-only access to journals of earlier versions, without migrating them."""

from __future__ import annotations

import sqlite3

from bulkup.journal.database import BUSY_WAIT, open_for_reading, sqlite_errors

# By version: views that stand in for the tables of that version. They are temporary, so the file is not changed.
_VIEWS = {
    3: """
    CREATE TEMP VIEW sources AS SELECT id, root, NULL AS name FROM main.sources;
    CREATE TEMP VIEW orphans AS SELECT *, NULL AS superseded_by, NULL AS kept_until FROM main.orphans;
    """,
    8: """
    CREATE TEMP VIEW removed AS SELECT 0 AS destination_id, 0 AS source_id, x'' AS path, 0 AS run_id WHERE 0;
    """,
    10: "CREATE TEMP VIEW runs AS SELECT *, NULL AS shard FROM main.runs;",
}


def open_any_version(path: str, busy_wait: float = BUSY_WAIT) -> sqlite3.Connection:
    """Open an existing journal of any version up to this one for queries, without a lock. Raises `JournalError`.

    Where another program has locked it, each query waits for at most `busy_wait` seconds.
    """
    connection = open_for_reading(path, busy_wait)
    try:
        with sqlite_errors(path):
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            for since, script in _VIEWS.items():
                if version < since:
                    connection.executescript(script)
    except BaseException:
        connection.close()
        raise
    return connection
