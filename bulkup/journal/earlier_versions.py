"""Looking into a journal that an earlier version left as if it were of this one: a look must not migrate it."""

from __future__ import annotations

import sqlite3

from bulkup.journal.database import open_for_reading, sqlite_errors

# By the version that brought it: what stands in for it. It lives in the connection and writes nothing to the file.
_SINCE = {
    3: """
    CREATE TEMP VIEW sources AS SELECT id, root, NULL AS name FROM main.sources;
    CREATE TEMP VIEW orphans AS SELECT *, NULL AS superseded_by, NULL AS kept_until FROM main.orphans;
    """,
}


def open_any_version(path: str) -> sqlite3.Connection:
    """Open an existing journal of this or an earlier version for queries; needs no lock. Raises `JournalError`."""
    connection = open_for_reading(path)
    try:
        with sqlite_errors(path):
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            for since, script in _SINCE.items():
                if version < since:
                    connection.executescript(script)
    except BaseException:
        connection.close()
        raise
    return connection
