"""The state of each journal of a folder."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dashboard_world import AFile, add_run, make_journal

from bulkup.dashboard.journal_list import JournalList, JournalView
from bulkup.journal.database import open_for_writing


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Lock a journal as a shell of SQLite can, so that others cannot even read it."""
    connection = sqlite3.connect(path, isolation_level=None)
    with contextlib.closing(connection):
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("BEGIN EXCLUSIVE")
        connection.execute("UPDATE runs SET started_at = started_at")
        connection.execute("COMMIT")
        yield


def by_name(journals: JournalList) -> dict[str, JournalView]:
    return {Path(view.path).stem: view for view in journals.look().values()}


def test_a_journal_that_another_program_has_locked_says_so_beside_the_others(tmp_path: Path) -> None:
    nightly = make_journal(tmp_path / "nightly.sqlite3")
    make_journal(tmp_path / "other.sqlite3")
    journals = JournalList(str(tmp_path), (), 50, busy_wait=0.01)
    with locked(nightly):
        found = by_name(journals)
        assert (found["nightly"].state, found["other"].state) == ("busy", "ready")
        assert "another program has locked it" in found["nightly"].message
        assert found["nightly"].hint
    assert by_name(journals)["nightly"].state == "ready"


def test_what_is_known_of_a_journal_is_shown_while_it_is_locked(tmp_path: Path) -> None:
    nightly = make_journal(tmp_path / "nightly.sqlite3")
    journals = JournalList(str(tmp_path), (), 50, busy_wait=0.01)
    before = by_name(journals)["nightly"]
    with locked(nightly):
        assert by_name(journals)["nightly"] is before


@pytest.mark.parametrize(("found", "left"), [(2, 3), (10, None)])
def test_files_are_counted_after_a_complete_run_of_a_few(tmp_path: Path, found: int, left: int | None) -> None:
    """The last run says that everything is uploaded, and means its own files."""
    files = [AFile(b"a"), *(AFile(name, "storage answered 500") for name in (b"b", b"c")), AFile(b"d", "", "rejected")]
    path = make_journal(tmp_path / "nightly.sqlite3", files, runs=(1,))
    complete = {"files": {"found": found, "uploaded": found, "failed": 0}}
    with contextlib.closing(open_for_writing(str(path))) as connection:
        add_run(connection, 2, 0, summary=complete)
    (view,) = JournalList(str(tmp_path), (), 50, busy_wait=0.01).look().values()
    assert (view.state, view.left) == ("ready", left)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("summary", "[1]"),
        ("summary", "7"),
        ("started_at", "soon"),
        ("exit_code", "well"),
        ("run", b"\xff"),
        ("sources", "{}x"),
    ],
)
def test_runs_that_cannot_be_what_was_written_are_damage(tmp_path: Path, column: str, value: Any) -> None:
    path = make_journal(tmp_path / "nightly.sqlite3")
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"UPDATE runs SET {column} = ?", (value,))
    journals = JournalList(str(tmp_path), (), 50, busy_wait=0.01)
    for _ in range(2):
        (view,) = journals.look().values()
        assert (view.state, bool(view.hint)) == ("damaged", True)
