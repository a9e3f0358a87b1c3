"""Forgets orphans that a command has removed at the service."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from bulkup.journal.database import journal_exists, open_for_writing, sqlite_errors


def forget_orphans(path: str, remote_ids: Sequence[str]) -> None:
    """Delete the orphans with these ids from a journal, if it exists. The caller holds the lock."""
    if not remote_ids or not journal_exists(path):
        return
    with contextlib.closing(open_for_writing(path)) as connection, sqlite_errors(path):
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("DELETE FROM orphans WHERE remote_id = ?", [(one,) for one in remote_ids])
        connection.execute("COMMIT")
