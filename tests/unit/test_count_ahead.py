"""The stage that counts ahead of the scanner: when it begins and when it ends."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import anyio
import pytest
from stage_world import StageRun

from bulkup.journal.lookup import Comparison
from bulkup.model.counters import Counted
from bulkup.model.files import Source, Stat
from bulkup.pipeline import ScanOptions, Tunables
from bulkup.pipeline.count_ahead import CountAhead
from bulkup.pipeline.scan.counting import CountingOptions

FILES = 600


class CountStage(StageRun):
    """The stage alone, over a folder with files. `full` has a scanner wait for the budget."""

    def __init__(self, folder: Path, **options: Any) -> None:
        quick = Tunables(counting=CountingOptions(patience=0.2, slice=1e-9, share=0.5))
        super().__init__(tunables=quick, **options)
        for number in range(FILES):
            path = folder / f"{number % 5}" / f"{number}.mp4"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(b"12345")
        self.run.sources = (Source(os.fsencode(folder)),)
        self.stage = CountAhead(self.run)

    async def full(self) -> None:
        self.run.budget.try_take(self.run.budget.total)
        await self.run.budget.take(1)


@pytest.fixture
def stage(tmp_path: Path) -> CountStage:
    return CountStage(tmp_path)


async def counting_until(stage: CountStage, holds: Callable[[Counted], bool]) -> None:
    """Let the count go on. Its pauses are on the clock of the test."""
    with anyio.fail_after(30):
        while not holds(stage.run.counted):
            await stage.advance(1.0)
            await anyio.sleep(0.001)  # for its thread


async def test_it_counts_while_the_scanner_waits(stage: CountStage, monkeypatch: pytest.MonkeyPatch) -> None:
    running = list[bool]()

    def compare(_source: Source, files: Mapping[bytes, Stat], _now: float) -> Comparison:
        running.append(stage.run.counted.running)
        return Comparison([], [], list(files))

    monkeypatch.setattr(stage.journal.rows, "compare", compare)
    async with stage.working(stage.full, stage.stage.work):
        await counting_until(stage, lambda counted: counted.files > 0 and not counted.running)
        counted = stage.run.counted
        assert running
        assert all(running)
        assert (counted.files, counted.bytes, counted.complete) == (FILES, 5 * FILES, True)
    assert stage.journal.rows.closed


async def test_a_scanner_that_does_not_wait_is_ahead_itself(stage: CountStage) -> None:
    async with stage.working(stage.stage.work):
        await stage.advance(10.0)
        assert stage.run.counted.files == 0
        stage.run.counters.scan_done = True
        await stage.advance(0.3)
        assert (stage.run.counted.files, stage.run.counted.running) == (0, False)


@pytest.mark.parametrize("why", ["scan", "stop"])
async def test_it_ends_with_the_scan_and_with_the_run(
    stage: CountStage, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tree has more files than the first ones that the journal is asked about."""

    def compare(_source: Source, files: Mapping[bytes, Stat], _now: float) -> Comparison:
        if why == "scan":
            stage.run.counters.scan_done = True
        else:
            stage.run.stop.requested = True
        return Comparison([], [], list(files))

    monkeypatch.setattr(stage.journal.rows, "compare", compare)
    async with stage.working(stage.full, stage.stage.work):
        await counting_until(stage, lambda counted: counted.files > 0 and not counted.running)
        assert not stage.run.counted.complete
        assert stage.run.counted.files < FILES
    assert stage.journal.rows.closed


async def test_the_tree_of_a_retry_is_not_counted(stage: CountStage) -> None:
    """Its files come from the journal."""
    stage.run.unfinished = lambda _: iter(())
    async with stage.working(stage.full, stage.stage.work):
        await stage.advance(10.0)
        assert stage.run.counted.files == 0


async def test_a_list_of_standard_input_is_not_counted(tmp_path: Path) -> None:
    stage = CountStage(tmp_path, scan=ScanOptions(files_from="-"))
    async with stage.working(stage.full, stage.stage.work):
        await stage.advance(10.0)
        assert stage.run.counted.files == 0
