"""Runs with `order`: which files are sent first."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from pipeline_world import World, world

from bulkup import ExitCode
from bulkup.pipeline import Tunables

SIZES = {"b.mov": 3000, "d.mov": 1000, "a.mov": 4000, "c.mov": 2000, "x/big.mov": 1_500_000}
AGES = ("c.mov", "a.mov", "x/big.mov", "d.mov", "b.mov")  # the oldest first


@pytest.fixture
async def here(tmp_path: Path) -> AsyncGenerator[World, None]:
    async with world(tmp_path) as place:
        place.write({name: os.urandom(size) for name, size in SIZES.items()})
        for number, name in enumerate(AGES):
            os.utime(place.source / name, (1_000_000_000 + number,) * 2)
        yield place


@pytest.mark.parametrize(
    ("order", "names"),
    [
        ("path", sorted(SIZES)),
        ("newest", AGES[::-1]),
        ("oldest", AGES),
        ("smallest", sorted(SIZES, key=lambda name: SIZES[name])),
        ("largest", sorted(SIZES, key=lambda name: -SIZES[name])),
    ],
)
@pytest.mark.parametrize("processes", [1, 2])
async def test_files_are_sent_in_the_order(here: World, order: str, names: list[str], processes: int) -> None:
    """One at a time, so the order in which they settle is that in which they were sent."""
    results, summary = await here.results(order=order, concurrency=1, processes=processes)
    assert summary.exit_code == 0
    assert [os.fsdecode(result.path) for result in results] == list(names)


async def test_the_newest_files_of_a_limited_run(here: World) -> None:
    """The others are left to later runs, which go on in the order."""
    for newest in (AGES[:2:-1], AGES[2:0:-1], AGES[:1]):
        results, summary = await here.results(order="newest", max_files=2)
        assert {os.fsdecode(result.path) for result in results} == set(newest)
        assert summary.exit_code == (0 if newest == AGES[:1] else ExitCode.TIME_UP)


async def test_more_files_than_the_window_holds(here: World) -> None:
    """All are sent; memory does not grow with their number."""
    here.tunables = Tunables(order_window=3)
    here.write_many(30)
    summary = await here.run(order="largest")
    assert summary.exit_code == 0
    assert here.puts == 35
    here.assert_uploaded()


async def test_a_run_that_is_stopped_leaves_the_window(here: World) -> None:
    """The files in it were found, and remain."""
    async with here.uploader(order="path") as uploader:
        uploader.stop(ExitCode.TIME_UP)
        summary = await uploader.run()
    assert (summary.exit_code, summary.counters.uploaded) == (ExitCode.TIME_UP, 0)
    assert (await here.run(order="path")).exit_code == 0
    here.assert_uploaded()
