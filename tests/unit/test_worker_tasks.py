"""The workers of a run, and their number as it changes during the run."""

from __future__ import annotations

from typing import Any, cast

import anyio
from stage_world import StageRun, settled

from bulkup.pipeline.tuning.tuner import Tuner
from bulkup.pipeline.worker_tasks import WorkerTasks


class FakeTuner:
    """Sets the limit once, and works until it is cancelled."""

    def __init__(self, stage: TaskStage, most: int) -> None:
        self._stage = stage
        self._most = most

    async def work(self) -> None:
        self._stage.tuning.append(self._most)
        try:
            await anyio.sleep_forever()
        finally:
            self._stage.tuning.remove(self._most)


class TaskStage(StageRun):
    """The workers alone. `started` are their numbers, `tuning` are the limits of tuners at work."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.started: list[int] = []
        self.tuning: list[int] = []
        self.tasks = WorkerTasks(self.run, self._work, lambda most: cast("Tuner", FakeTuner(self, most)))

    async def _work(self, number: int) -> None:
        self.started.append(number)
        await anyio.sleep_forever()


async def test_more_workers_have_room_for_their_files() -> None:
    """Budget and gates are made for a number of workers, and would hold back further ones."""
    stage = TaskStage(concurrency=2, batch_size=1, calls_in_flight=1)
    gate, before = stage.gate, stage.run.budget.total
    async with stage.working(stage.tasks.work):
        assert stage.started == [0, 1]
        stage.tasks.limit(6, adaptive=False)
        await settled()
        assert sorted(stage.started) == list(range(6))
        assert (stage.run.worker_limit.wanted, stage.run.budget.total) == (6, before + 8)
        assert gate.room(stage.clock.time, 9) == 6


async def test_fewer_workers_need_no_change_but_that_of_the_limit() -> None:
    """The surplus ones stand aside, and come back when more are wanted."""
    stage = TaskStage(concurrency=4)
    total = stage.run.budget.total
    async with stage.working(stage.tasks.work):
        stage.tasks.limit(1, adaptive=False)
        assert (stage.run.worker_limit.wanted, stage.run.budget.total) == (1, total)
        stage.tasks.limit(4, adaptive=False)
        await settled()
        assert (sorted(stage.started), stage.run.worker_limit.wanted) == ([0, 1, 2, 3], 4)


async def test_from_a_fixed_number_to_auto_and_back() -> None:
    stage = TaskStage(concurrency=4)
    async with stage.working(stage.tasks.work):
        assert not stage.tuning
        stage.tasks.limit(32, adaptive=True)
        await settled()
        assert (stage.tuning, stage.tasks.adaptive, len(stage.started)) == ([32], True, 32)
        stage.tasks.limit(3, adaptive=False)
        await settled()
        assert (stage.tuning, stage.tasks.adaptive, stage.run.worker_limit.wanted) == ([], False, 3)


async def test_auto_again_begins_anew() -> None:
    stage = TaskStage(concurrency=8, adaptive=True)
    async with stage.working(stage.tasks.work):
        stage.tasks.limit(8, adaptive=True)
        await settled()
        assert stage.tuning == [8]
    assert not stage.tuning


async def test_a_number_that_is_set_before_the_workers_begin() -> None:
    stage = TaskStage(concurrency=2)
    stage.tasks.limit(3, adaptive=False)
    async with stage.working(stage.tasks.work):
        assert stage.started == [0, 1, 2]
