"""Wires the stages and runs them; the one place that knows who hands what to whom."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import anyio

from bulkup.model.counters import Gauge
from bulkup.pipeline.batcher import Batcher
from bulkup.pipeline.closer import Closer
from bulkup.pipeline.hasher import Hasher
from bulkup.pipeline.processes.process_pool import ProcessPool
from bulkup.pipeline.rechecker import Rechecker, Ways
from bulkup.pipeline.recorder import Recorder
from bulkup.pipeline.run import Run
from bulkup.pipeline.scanner import Exits, Scanner
from bulkup.pipeline.send.attempt import LocalSender
from bulkup.pipeline.tuning.controller import Controller
from bulkup.pipeline.tuning.process_tuner import ProcessTuner
from bulkup.pipeline.tuning.tuner import Tuner
from bulkup.pipeline.workers import Workers

_LAST_RESULTS = 5.0


class Pipeline:
    """The stages of one run."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._recorder = Recorder(run)
        self._batcher = Batcher(run, self._recorder, lambda: run.counters.scan_done and not self._hasher.depth)
        self._confirmer = Closer(run, self._recorder)
        self._hasher: Hasher  # the ways go in a circle
        self._second_look = Rechecker(
            run,
            self._recorder,
            Ways(
                ask=self._batcher.add,
                hash=lambda item: self._hasher.add(item),  # noqa: PLW0108  # it is made below
                give_up=self._confirmer.give_up,
            ),
        )
        self._hasher = Hasher(run, self._recorder, self._second_look, self._batcher.add, self._batcher.wake)
        own = LocalSender(run.transport, run.provider, run.clock, run.options.sending, run.tunables.reading)
        self._pool = _pool(run, own)
        self._workers = Workers(
            run, self._batcher, self._recorder, self._confirmer, self._second_look, self._pool or own
        )
        self._scanner = Scanner(
            run,
            Exits(
                ask=self._batcher.add,
                resume=self._batcher.resume,
                hash=self._hasher.add,
                confirm=self._confirmer.add,
                settle=self._recorder.settle,
                claim=self._recorder.claim,
            ),
        )
        self.gauge = Gauge(run.counters, self._depths)

    async def work(self) -> None:
        """Run until every file found is settled, or the run was stopped and what was being sent has ended.

        Raises `JournalError` and `UsageError` (in an exception group), which end a run at once; the journal is whole at
        every instant, so there is nothing to wait for. So does a `MachineError` of a process that does not start.
        """
        try:
            async with self._pool or contextlib.nullcontext(), anyio.create_task_group() as stages:
                for stage in self._stages():
                    stages.start_soon(stage)
                stages.start_soon(self._end_when_stopped, stages.cancel_scope)
                await self._scanner.scan()
                self._batcher.wake()
                await self._run.budget.wait_idle()
                stages.cancel_scope.cancel()
        finally:
            self._batcher.close()
            self._hasher.close()
        # The journal's part is shielded by itself; a reader of results that stopped cannot keep the run from ending.
        with anyio.move_on_after(_LAST_RESULTS, shield=True):
            await self._recorder.flush()

    def _stages(self) -> list[Callable[[], Coroutine[Any, Any, None]]]:
        options = self._run.options
        return [
            self._recorder.work,
            self._batcher.work,
            self._confirmer.work,
            self._second_look.work,
            *[self._hasher.work] * options.hashers,
            *[functools.partial(self._workers.work, number) for number in range(options.concurrency)],
            *([self._tuner().work] if options.adaptive else []),
            *self._process_stages(),
        ]

    def _process_stages(self) -> list[Callable[[], Coroutine[Any, Any, None]]]:
        if self._pool is None:
            return []
        run, stages = self._run, [self._pool.work]
        if run.options.processes is None:
            tuner = ProcessTuner(
                self._pool,
                run.slots,
                run.clock,
                waiting=lambda: self._batcher.depths["ready"] > 0,
                stopped=lambda: run.stop.requested,
                options=run.tunables.process_trial,
            )
            stages.append(tuner.work)
        return stages

    def _tuner(self) -> Tuner:
        run = self._run
        return Tuner(
            run.slots,
            Controller(run.options.concurrency, run.tunables.controller, run.tunables.sampler),
            run.clock,
            held=lambda: self._batcher.held,
            stopped=lambda: run.stop.requested,
            tick=run.tunables.controller_tick,
        )

    async def _end_when_stopped(self, stages: anyio.CancelScope) -> None:
        """Once the run is to stop: what waits is given back, what is being sent has `grace` seconds to end.

        Where it is only that the time is up, there is no such bound: files that are begun are worth their end.
        """
        await self._run.stop.wait()
        self._batcher.wake()
        self._confirmer.wake()
        self._second_look.wake()
        await self._run.stop.pressing()
        await anyio.sleep(self._run.options.grace)
        stages.cancel()

    def _depths(self) -> Mapping[str, int]:
        asking = self._batcher.depths
        return {
            "hashing": self._hasher.depth,
            **asking,
            "waiting": asking["waiting"] + self._second_look.depth,
            "sending": self._run.slots.busy,
            "confirming": self._confirmer.depth,
            "recording": self._recorder.depth,
        }


def _pool(run: Run, own: LocalSender) -> ProcessPool | None:
    """Return what has files sent by other processes, None where all are sent by this one."""
    if run.process_setup is None or run.options.processes == 1:
        return None
    return ProcessPool(own, run.process_setup, run.clock, run.options.processes, run.tunables.process)
