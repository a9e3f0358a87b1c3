"""Indexes of journals are made on demand, kept while they are used, and made anew after changes."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import anyio
import pytest
from dashboard_world import AFile, make_journal

from bulkup.dashboard.dashboard_options import DashboardOptions
from bulkup.dashboard.index_keeper import IndexKeeper, KeptIndex
from bulkup.errors import JournalError
from bulkup.helpers.clock import SystemClock


class SetClock(SystemClock):
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.time = 1000.0

    def monotonic(self) -> float:
        return self.time


async def index_of(keeper: IndexKeeper, path: Path) -> KeptIndex:
    found = await keeper.find(str(path), 30.0)
    assert not isinstance(found, int)
    return found


def change(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("DELETE FROM files WHERE path = ?", (b"1.jpg",))
    connection.commit()
    connection.close()


async def test_an_index_is_kept_until_the_journal_changes_and_its_rest_is_over(tmp_path: Path) -> None:
    path, clock = make_journal(tmp_path / "a.sqlite3", [AFile(b"1.jpg"), AFile(b"2.jpg")]), SetClock()
    async with anyio.create_task_group() as group:
        keeper = IndexKeeper(group, str, clock, DashboardOptions(index_rest_least=5.0))
        first = await index_of(keeper, path)
        assert len(first.index) == 2
        clock.time += 10
        assert (await index_of(keeper, path)) is first  # nothing changed
        clock.time -= 9
        change(path)
        assert (await index_of(keeper, path)) is first  # it rests
        clock.time += 9
        assert (await index_of(keeper, path)) is first  # the new one is being made
        with anyio.fail_after(30):
            while (second := await index_of(keeper, path)) is first:
                await anyio.sleep(0.01)
        assert len(second.index) == 1
        # A list that was begun with the first one goes on with it.
        assert await keeper.find(str(path), 0.0, first.number) is first
        with pytest.raises(KeyError):
            await keeper.find(str(path), 0.0, 99)


class SlowClock(SetClock):
    """A clock on which each look takes a second, so that every reading seems to take some."""

    def monotonic(self) -> float:
        self.time += 1.0
        return self.time


async def test_after_a_run_its_last_changes_are_read_soon(tmp_path: Path) -> None:
    """During a run the next reading waits for `index_rest` times as long as the last one took."""
    path, clock = make_journal(tmp_path / "a.sqlite3", [AFile(b"1.jpg"), AFile(b"2.jpg")]), SlowClock()
    async with anyio.create_task_group() as group:
        keeper = IndexKeeper(group, str, clock, DashboardOptions(index_rest=1e9))
        first = await index_of(keeper, path)
        assert keeper.is_current(str(path), first)
        change(path)
        assert not keeper.is_current(str(path), first)
        for _ in range(50):
            assert await keeper.find(str(path), 30.0, running=True) is first
            await anyio.sleep(0)
        with anyio.fail_after(30):
            while (second := await index_of(keeper, path)) is first:
                await anyio.sleep(0.01)
        assert len(second.index) == 1
        assert keeper.is_current(str(path), second)


async def test_unused_indexes_are_dropped(tmp_path: Path) -> None:
    path, clock = make_journal(tmp_path / "a.sqlite3", [AFile(b"1.jpg")]), SetClock()
    async with anyio.create_task_group() as group:
        keeper = IndexKeeper(group, str, clock, DashboardOptions(index_kept=60.0))
        first = await index_of(keeper, path)
        clock.time += 59
        keeper.drop_unused()
        assert (await index_of(keeper, path)) is first
        clock.time += 61
        keeper.drop_unused()
        assert (await index_of(keeper, path)) is not first


async def test_a_journal_that_cannot_be_read_raises_its_error_each_time(tmp_path: Path) -> None:
    async with anyio.create_task_group() as group:
        keeper = IndexKeeper(group, str, SetClock(), DashboardOptions())
        for _ in range(2):
            with pytest.raises(JournalError, match="there is no journal"):
                await keeper.find(str(tmp_path / "none.sqlite3"), 30.0)


async def test_without_patience_the_number_of_files_read_so_far_is_told(tmp_path: Path) -> None:
    path = make_journal(tmp_path / "a.sqlite3", [AFile(b"1.jpg")])
    async with anyio.create_task_group() as group:
        keeper = IndexKeeper(group, str, SetClock(), DashboardOptions())
        assert await keeper.find(str(path), 0.0) == 0
        assert len((await index_of(keeper, path)).index) == 1
