"""Starts the workers of a run, and has their number found by trial or keeps it fixed; both may change during the run.

The budget of files in flight and the gates of the hosts are made for a number of workers, so they grow with it. They do
not shrink again: a lower number is a matter of the worker limit alone.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import anyio
from anyio.abc import TaskGroup

from bulkup.pipeline.run import Run
from bulkup.pipeline.tuning.tuner import Tuner


class WorkerTasks:
    """`work` runs the worker with a number, `tuner` makes a tuner for at most a number of workers."""

    def __init__(
        self, run: Run, work: Callable[[int], Coroutine[Any, Any, None]], tuner: Callable[[int], Tuner]
    ) -> None:
        self.adaptive = run.options.adaptive
        self._run = run
        self._work = work
        self._tuner = tuner
        self._most = run.options.concurrency
        self._started = 0
        self._tuning: anyio.CancelScope | None = None
        self._tasks: TaskGroup | None = None

    async def work(self) -> None:
        """Run workers and tuner until cancelled."""
        async with anyio.create_task_group() as self._tasks:
            self._apply(self._tasks)
            await anyio.sleep_forever()

    def limit(self, workers: int, *, adaptive: bool) -> None:
        """Let `workers` send files from now on; with `adaptive`, at most that many, and a tuner finds the number."""
        run = self._run
        if (more := workers - self._run.most_workers) > 0:
            run.most_workers = workers
            run.budget.grow(2 * more)
            run.gates.allow(workers)
        self._most, self.adaptive = workers, adaptive
        if self._tuning is not None:
            self._tuning.cancel()
            self._tuning = None
        if not adaptive:
            run.worker_limit.want(workers)
        if self._tasks is not None:
            self._apply(self._tasks)

    def _apply(self, tasks: TaskGroup) -> None:
        """Start the workers that are missing, and the tuner where the number is found by trial."""
        for number in range(self._started, self._most):
            tasks.start_soon(self._work, number)
        self._started = max(self._started, self._most)
        if self.adaptive:
            self._tuning = anyio.CancelScope()
            tasks.start_soon(self._tune, self._tuner(self._most), self._tuning)

    async def _tune(self, tuner: Tuner, scope: anyio.CancelScope) -> None:
        with scope:
            await tuner.work()
