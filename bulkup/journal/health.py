"""Checks a whole journal for damage, for `bulkup doctor`."""

from __future__ import annotations

import sqlite3

from bulkup.errors import JournalError
from bulkup.journal.database import sqlite_errors
from bulkup.journal.earlier_versions import open_any_version

SQLITE_VERSION = sqlite3.sqlite_version


def check_health(path: str) -> int:
    """Read all pages of the journal, and return how many files it has.

    Raises `JournalError` if it is damaged or cannot be read, and `JournalLockedError` if it cannot be read now.
    """
    connection = open_any_version(path)
    try:
        with sqlite_errors(path):
            ((found,),) = connection.execute("PRAGMA quick_check(1)").fetchall()
            ((files,),) = connection.execute("SELECT count(*) FROM main.files").fetchall()
    finally:
        connection.close()
    if found != "ok":
        raise JournalError(f"the journal {path} is damaged: {found}", hint="see docs/reliability.md")
    return int(files)
