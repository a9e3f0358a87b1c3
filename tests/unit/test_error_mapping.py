"""Errors of SQLite as their users see them."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from bulkup.journal.error_mapping import from_sqlite


@pytest.mark.parametrize("begin", ["BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"])
def test_a_lock_of_another_program_is_named(tmp_path: Path, begin: str) -> None:
    """Permissions are not the cause."""
    path = str(tmp_path / "journal")
    with (
        contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other,
        contextlib.closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as ours,
    ):
        other.execute(begin)
        with pytest.raises(sqlite3.OperationalError) as caught:
            ours.execute("CREATE TABLE t (x)")
    error = from_sqlite(caught.value, path)
    assert "another program has locked it (SQLITE_BUSY)" in error.message
    assert "permissions" not in (error.hint or "")
