"""The verdict on a campaign of kills, and the costs of the journal's rows."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from benchmarks.cluster.journal_costs import Load, afterwards, write
from benchmarks.cluster.kills import Campaign, Outcome, problems
from benchmarks.soaking.verification import Findings

CAMPAIGN = Campaign(files=100, workers=3, kills=2, concurrency=32)


def outcome(**values: Any) -> Outcome:
    return Outcome(**{"codes": [0], "kills": 2, "files": 100, "again": 64, **values})


def test_a_good_campaign_has_no_problems() -> None:
    assert problems(CAMPAIGN, outcome()) == []


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"codes": [1]}, "ended with 1"),
        ({"codes": []}, "ended with None"),
        ({"findings": Findings(lost=1)}, "lost"),
        ({"findings": Findings(wrong=1)}, "wrong"),
        ({"findings": Findings(twice=1)}, "twice"),
        ({"files": 99}, "checked"),
        ({"again": 65}, "again"),
        ({"kills": 1, "again": 0}, "only 1 of 2 kills"),
        ({"secrets": ["a key"]}, "secret"),
    ],
)
def test_each_miss_is_a_problem(values: dict[str, Any], named: str) -> None:
    (problem,) = problems(CAMPAIGN, outcome(**values))
    assert named in problem


async def test_the_journal_that_is_measured_has_a_row_for_each_file(tmp_path: Path) -> None:
    path = str(tmp_path / "journal")
    costs = await write(path, [400, 1_000], Load(path_bytes=40))

    assert [one.files for one in costs] == [400, 1_000]
    assert all(one.bytes_per_file > 40 and one.thread > 0 and one.loop > 0 for one in costs)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT state, count(*) FROM files GROUP BY 1").fetchall() == [("uploaded", 1_000)]
        assert connection.execute("SELECT count(*), max(length(path)) FROM files").fetchone() == (1_000, 40)
        assert connection.execute("SELECT count(*) FROM presign_groups").fetchone() == (0,)


def test_an_unfinished_journal_is_opened_ended_and_rewritten(tmp_path: Path) -> None:
    path = str(tmp_path / "journal")
    asyncio.run(write(path, [1_000], Load()))

    later = afterwards(path)

    assert later.bytes_after > 60 * 1_000
    assert min(later.opened_after_kill, later.opened_after_end, later.rewritten) > 0
