"""Queries over the rows of files use the primary key: a journal has millions of rows.

The plans are those of the statements as they were run, so a change of a statement is seen here.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from journal_world import NOW, a_ticket, an_item, ask, running, upload_one

from bulkup.journal import Reader

_CONNECT = sqlite3.connect


class _Traced:
    """The statements of every connection that is opened, with the connection."""

    def __init__(self) -> None:
        self.statements: list[tuple[sqlite3.Connection, str]] = []

    def connect(self, *arguments: Any, **options: Any) -> sqlite3.Connection:
        """Open a connection like `sqlite3.connect`."""
        connection: sqlite3.Connection = _CONNECT(*arguments, **options)
        connection.set_trace_callback(lambda sql: self.statements.append((connection, sql)))
        return connection

    def plans(self, part: str) -> Iterator[tuple[str, list[str]]]:
        """Yield the queries that contain a text, with the steps of their plans."""
        for connection, sql in list(self.statements):
            if part in sql and sql.lstrip().startswith("SELECT"):
                yield sql, [step[3] for step in connection.execute(f"EXPLAIN QUERY PLAN {sql}")]


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> _Traced:
    traced = _Traced()
    monkeypatch.setattr(sqlite3, "connect", traced.connect)
    return traced


async def test_the_manifest_beside_open_groups_reads_rows_in_their_order(tmp_path: Path, traced: _Traced) -> None:
    """A sort of all rows, or a scan of the table for each page, would take minutes beside a run."""
    path = tmp_path / "journal.sqlite3"
    async with running(path) as (journal, (source,)):
        for name in (b"a", b"b", b"c"):
            await upload_one(journal, an_item(source, name), a_ticket(name.decode()))
        await ask(journal, an_item(source, b"d"))
        with Reader(str(path)) as reader:
            assert [row.path for row in reader.manifest()] == [b"a", b"b", b"c", b"d"]
            plans = [plan for _, plan in traced.plans("settled_files")]
    assert plans
    for plan in plans:
        scanned = [step for step in plan if step.startswith("SCAN") and "subquery" not in step.lower()]
        assert scanned == []
        assert [step for step in plan if "(destination_id,source_id,path)>(?,?,?)" in step and "PRIMARY KEY" in step]
        # Only the rows of a page, which its subquery has found in their order, are sorted.
        sorts = [place for place, step in enumerate(plan) if "TEMP B-TREE" in step]
        assert all("subquery" in plan[place - 1].lower() for place in sorts)


@pytest.mark.parametrize("names", [(b"a", b"b", b"c"), (b"c", b"a", b"b")], ids=["sorted", "in another order"])
async def test_the_rows_of_a_block_are_searched_by_their_key(
    names: tuple[bytes, ...], tmp_path: Path, traced: _Traced
) -> None:
    """Sorted paths are a range of the key, others single values of it."""
    async with running(tmp_path / "journal.sqlite3") as (journal, (source,)):
        items = [an_item(source, name) for name in names]
        for item in items:
            await upload_one(journal, item, a_ticket(item.file.path.decode()))
        traced.statements.clear()
        with contextlib.closing(journal.lookup()) as lookup:
            assert all(lookup.find([item.file for item in items]))
            found = {item.file.path: item.file.identity for item in items}
            assert lookup.compare(source, found, NOW).kept == list(names)
            plans = [plan for sql, plan in traced.plans("main.files") if "path" in sql]
    which = "path>? AND path<?" if names == tuple(sorted(names)) else "path=?"
    assert plans == [[f"SEARCH main.files USING PRIMARY KEY (destination_id=? AND source_id=? AND {which})"]] * 2
