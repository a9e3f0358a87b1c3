"""The record that a run keeps of itself in the journal: written, read, kept after a kill, pruned."""

from __future__ import annotations

import contextlib
import json
import math
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from journal_world import NOW, a_ticket, an_item, journal_0_1_0, running, upload_one

from bulkup.errors import JournalError
from bulkup.journal import Reader, prune, read_record
from bulkup.journal.run_records import record_of, record_text
from bulkup.model.run_record import Durations, NotedFile, RunRecord, RunSample

DAY = 86_400.0
RECORD = RunRecord(
    version="1.2.3",
    profile="nightly",
    host="backup-1",
    settings={"source": "/data"},
    summary={"run": "r", "exit_code": None, "bytes": {"found": 2**70}},
    error="it broke\udcff",
    samples=(
        RunSample(0.0, 0, 0, 0, 0, 16, (0,) * 8),
        RunSample(0.25, 10, 2**40, 1, 2, 16, (1, 2, 3, 4, 5, 6, 7, 8)),
        RunSample(0.613, 30, 2**41, 1, 2, 24, (0,) * 8),
    ),
    api=Durations((0.1, 1.0), (5, 1, 0), 1.25),
    slowest=(NotedFile(b"/data", b"bad\xff name\n<b>", 10, 1.5, 2),),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite3"


def records(path: Path) -> list[RunRecord | None]:
    with Reader(str(path)) as reader:
        return [read_record(reader, number) for number in (1, 2)]


def test_a_record_is_read_as_it_was_written() -> None:
    assert record_of(record_text(RECORD)) == replace(
        RECORD, samples=list(RECORD.samples), slowest=list(RECORD.slowest), largest=[]
    )


async def test_the_newest_record_of_a_run_counts(path: Path) -> None:
    async with running(path) as (journal, _):
        await journal.record(RECORD)
        await journal.record(replace(RECORD, host="backup-2"))
        await journal.end_run(now=NOW, exit_code=0, summary={}, finished=True, record=replace(RECORD, host="backup-3"))
    (first, none) = records(path)
    assert first is not None
    assert (first.host, none) == ("backup-3", None)


async def test_the_record_of_a_killed_run_is_what_was_written_last(path: Path, tmp_path: Path) -> None:
    """A copy of the files on disk is what a kill leaves."""
    async with running(path) as (journal, _):
        await journal.record(RECORD)
        left = tmp_path / "left"
        left.mkdir()
        for name in (path.name, f"{path.name}-wal"):
            shutil.copy(path.with_name(name), left)
    (record, _) = records(left / path.name)
    assert record is not None
    assert [sample.files for sample in record.samples] == [0, 10, 30]


async def test_a_journal_of_an_earlier_version_has_no_records(path: Path) -> None:
    journal_0_1_0(path)
    assert records(path) == [None, None]
    with Reader(str(path)) as reader:
        assert next(reader.runs()).run


async def test_pruning_a_run_removes_its_record(path: Path) -> None:
    for now in (NOW, NOW + 100 * DAY):
        async with running(path, now=now) as (journal, (source,)):
            await upload_one(journal, an_item(source), a_ticket("one"))
            await journal.end_run(now=now, exit_code=0, summary={}, finished=True, record=RECORD)
    await prune(str(path), NOW + 10 * DAY)
    first, second = records(path)
    assert first is None
    assert second is not None


def changed(*names: str, value: object) -> str:
    """Return the text of the record with another value in it."""
    record = json.loads(record_text(RECORD))
    place = record
    for name in names[:-1]:
        place = place[name]
    place[names[-1]] = value
    return json.dumps(record)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"version": 1}',
        record_text(RECORD).replace("at_ms", "at"),
        changed("summary", value=None),
        changed("samples", "at_ms", value=[-5, 0, 1]),
        changed("samples", "concurrency", value=[1, math.nan, 1]),
        changed("samples", "depths", value=[[-1]] * 3),
        changed("api", "sum", value=math.nan),
        changed("api", "counts", value=[1]),
        changed("api", value={"bounds": [], "counts": [3], "sum": 1.0}),
        changed("slowest", value=[["/s", "p", 1, math.inf, 1]]),
        changed("largest", value=[["/s", "p", -1, 1.0, 1]]),
    ],
)
async def test_a_record_that_cannot_be_read_is_damage(path: Path, text: str) -> None:
    async with running(path) as (journal, _):
        await journal.record(RECORD)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE run_records SET record = ?", (text,))
        connection.commit()
    with Reader(str(path)) as reader, pytest.raises(JournalError, match="damaged"):
        read_record(reader, 1)


async def test_the_list_of_runs_can_begin_with_an_older_one(path: Path) -> None:
    for _ in range(3):
        async with running(path) as (journal, _sources):
            last = journal.run
    with Reader(str(path)) as reader:
        assert next(reader.runs()).run == last
        assert len(list(reader.runs(up_to=2))) == 2


async def test_a_summary_with_a_figure_that_is_none_is_damage(path: Path) -> None:
    async with running(path) as (journal, _):
        await journal.end_run(now=NOW, exit_code=0, summary={"seconds": math.nan}, finished=True)
    with Reader(str(path)) as reader, pytest.raises(JournalError, match="damaged"):
        next(reader.runs())
