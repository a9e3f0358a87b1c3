"""The shards of the runs of a journal: which runs it takes, and how readers see them."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from journal_world import journal_0_1_0, running

from bulkup.errors import JournalError, UsageError
from bulkup.journal import Reader
from bulkup.model.shard import Shard


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite3"


async def run(path: Path, *shards: str | None) -> None:
    for text in shards:
        shard = None if text is None else Shard(*map(int, text.split("/")))
        async with running(path, shard=shard):
            pass


def runs(path: Path) -> list[str | None]:
    with Reader(str(path)) as reader:
        return [run.shard for run in reader.runs()][::-1]


async def test_the_shard_of_each_run_is_shown(path: Path) -> None:
    await run(path, "2/4", "2/4")
    assert runs(path) == ["2/4", "2/4"]


@pytest.mark.parametrize("other", ["1/4", "3/8", "2/2", "2/5", "1/1", None])
async def test_a_journal_of_a_shard_takes_no_other_files(path: Path, other: str | None) -> None:
    """Their rows are in other journals. Nothing is written."""
    await run(path, "2/4")
    wanted = "all files" if other is None else f"shard {other}"
    with pytest.raises(UsageError, match=f"is that of shard 2/4, and this run takes {wanted}"):
        await run(path, other)
    assert runs(path) == ["2/4"]


async def test_a_journal_goes_on_with_a_part_of_its_files(path: Path) -> None:
    """So a copy of it serves twice as many shards. The larger shard stays possible."""
    await run(path, None, "2/4", "2/8", None)
    assert runs(path) == [None, "2/4", "2/8", None]
    other = path.with_name("copy.sqlite3")
    await run(other, "2/4", "6/8", "6/16", "2/4")
    assert runs(other) == ["2/4", "6/8", "6/16", "2/4"]


async def test_a_journal_of_an_earlier_version_has_runs_over_all_files(path: Path) -> None:
    journal_0_1_0(path)
    assert set(runs(path)) == {None}
    await run(path, "1/3")
    assert runs(path)[-1] == "1/3"


async def test_a_shard_that_cannot_be_read_is_damage(path: Path) -> None:
    await run(path, "2/4")
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE runs SET shard = 'x'")
    connection.close()
    with pytest.raises(JournalError, match="a row cannot be read"):
        await run(path, "2/4")
