"""Builds the stages, connects them by `Routes`, and runs them. No other module knows which stage follows which."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import anyio

from bulkup.model.counters import Gauge
from bulkup.model.items import Outcome
from bulkup.model.progress import RunState, SendingFile
from bulkup.pipeline.batcher import Batcher
from bulkup.pipeline.closer import Closer
from bulkup.pipeline.count_ahead import CountAhead
from bulkup.pipeline.dispatcher import Dispatcher
from bulkup.pipeline.hasher import Hasher
from bulkup.pipeline.parts import Parts
from bulkup.pipeline.pause import run_state
from bulkup.pipeline.policy.bandwidth import most_workers
from bulkup.pipeline.processes.jobs import Setup
from bulkup.pipeline.processes.process_pool import ProcessPool
from bulkup.pipeline.ready import Ready
from bulkup.pipeline.rechecker import Rechecker
from bulkup.pipeline.recorder import Recorder
from bulkup.pipeline.routes import Routes
from bulkup.pipeline.run import Run
from bulkup.pipeline.scanner import Scanner
from bulkup.pipeline.send.attempt import LocalSender
from bulkup.pipeline.tuning.controller import Controller
from bulkup.pipeline.tuning.process_tuner import ProcessTuner
from bulkup.pipeline.tuning.tuner import Tuner
from bulkup.pipeline.under_way import sending_files
from bulkup.pipeline.worker_tasks import WorkerTasks
from bulkup.pipeline.workers import Workers

if TYPE_CHECKING:
    from bulkup.pipeline.disposal import Disposal


class FirstStage(Protocol):
    """Where files enter the pipeline: the scanner, or on a worker of a cluster the files that the coordinator gives."""

    async def scan(self) -> None:
        """Pass files on, until there are no more."""
        ...


class LastStage(Protocol):
    """Where files leave the pipeline: the recorder, or on a worker of a cluster the way to the coordinator's."""

    @property
    def depth(self) -> int:
        """Outcomes that wait for a commit."""
        ...

    def settle(self, outcome: Outcome) -> None:
        """Take the terminal outcome of an item."""
        ...

    def record(self, *outcomes: Outcome) -> Awaitable[None]:
        """Take outcomes; the result is to be awaited, and is there once they are on disk."""
        ...

    def count_failure(self) -> None:
        """Count a failure of a file that is settled later."""
        ...

    async def work(self) -> None:
        """Record until cancelled. Raises `JournalError`."""
        ...

    async def flush(self) -> None:
        """Record the outcomes that have arrived."""
        ...


class PipelineEnds(Protocol):
    """Makes the first and the last stage of a pipeline on a worker of a cluster."""

    def first(self, run: Run, routes: Routes) -> FirstStage:
        """Return the stage in place of the scanner."""
        ...

    def last(self, run: Run) -> LastStage:
        """Return the stage in place of the recorder."""
        ...


class Pipeline:
    """The stages of one run."""

    def __init__(self, run: Run, process_setup: Setup | None = None, ends: PipelineEnds | None = None) -> None:
        """`process_setup` holds the options of sending processes; None where only this process can send.

        `ends` replaces the scanner and the recorder.
        """
        self._run = run
        routes = Routes()
        self._scanner: FirstStage = Scanner(run, routes) if ends is None else ends.first(run, routes)
        self._hasher = Hasher(run, routes)
        self._batcher = Batcher(run, routes)
        self._ready = Ready(run, routes)
        self._closer = Closer(run, routes)
        self._parts = Parts(run, routes) if run.provider.capabilities.parts else None
        self._rechecker = Rechecker(run, routes)
        self._disposal = disposal_stage(run)
        dispose = self._disposal.take if self._disposal is not None else None
        self._recorder: LastStage = Recorder(run, dispose) if ends is None else ends.last(run)
        sender = LocalSender(
            run.transport, run.provider, run.clock, run.options.sending, run.tunables.reading, run.opener
        )
        self._workers = Workers(run, routes, sender)
        self.worker_tasks = WorkerTasks(run, self._workers.work, self._tuner)
        self._pool = _process_pool(run, process_setup)
        self._dispatcher = Dispatcher(run, routes, self._pool, self._workers) if self._pool is not None else None
        self._fill(routes)
        run.throttle.on_change(self._limit_changed)
        self.gauge = Gauge(run.counters, self._depths, run.counted, self._sending, self._state)

    def _fill(self, routes: Routes) -> None:
        routes.hash = self._hasher.add
        routes.ask = self._batcher.add
        routes.renew = self._batcher.renew
        routes.send = self._ready.add
        routes.resume = self._ready.resume
        routes.retry = self._ready.retry
        routes.take, routes.take_now = self._ready.take, self._ready.take_now
        routes.dispatch_by = self._ready.dispatch_by
        routes.close = self._closer.add
        routes.give_up = self._closer.give_up
        routes.recheck = self._rechecker.add
        routes.settle = self._recorder.settle
        routes.record = self._recorder.record
        routes.count_failure = self._recorder.count_failure
        routes.dispose = self._disposal.add if self._disposal is not None else None
        routes.smaller_waits = self._ready.smaller_waits
        routes.ticket_used = self._batcher.ticket_used
        routes.hashing_ended = self._batcher.wake
        routes.unused_tickets = self._ready.unused
        routes.files_to_hash = self._hasher.files
        if self._parts is not None:
            self._parts.take_over()
        if self._run.quota.is_limited:
            from bulkup.pipeline.admission import Admission  # noqa: PLC0415  # most runs have no such limit

            Admission(self._run, routes).take_over()

    async def work(self) -> None:
        """Run until every file found is settled, or the run was stopped and its attempts have ended.

        Raises `JournalError` and `UsageError` (in an exception group), which end a run at once: the journal is always
        consistent, so there is nothing to wait for. Raises `MachineError` where a sending process does not start.
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
            self._hasher.close()
            if self._disposal is not None:
                self._disposal.close()
            self._run.opener.close()
            self._run.throttle.close()
        # Writing to the journal is shielded. A reader of results that has stopped must not keep the run from ending.
        with anyio.move_on_after(self._run.tunables.last_results, shield=True):
            await self._recorder.flush()

    def _stages(self) -> list[Callable[[], Coroutine[Any, Any, None]]]:
        options = self._run.options
        return [
            self._recorder.work,
            self._batcher.work,
            self._ready.work,
            self._closer.work,
            self._rechecker.work,
            *([self._parts.work] if self._parts is not None else []),
            *([self._disposal.work] if self._disposal is not None else []),
            *([CountAhead(self._run).work] if options.count else []),
            *[self._hasher.work] * options.hashers,
            self.worker_tasks.work,
            *self._process_stages(),
        ]

    def _process_stages(self) -> list[Callable[[], Coroutine[Any, Any, None]]]:
        if self._pool is None or self._dispatcher is None:
            return []
        run, stages = self._run, [self._pool.work, self._dispatcher.work]
        if run.options.processes is None:
            tuner = ProcessTuner(
                self._pool,
                run.worker_limit,
                run.counters,
                run.clock,
                waiting=lambda: self._ready.ready > 0 and not run.pause.on,
                stopped=lambda: run.stop.requested,
                options=run.tunables.process_plan,
            )
            stages.append(tuner.work)
        return stages

    def _tuner(self, most: int) -> Tuner:
        run = self._run
        return Tuner(
            run.worker_limit,
            Controller(most, run.tunables.controller, run.tunables.sampler),
            run.clock,
            held=lambda: self._ready.held + run.throttle.delayed() + run.pause.on,
            in_groups=lambda: run.options.processes is None and self._pool is not None and self._pool.ready > 0,
            round_trip=lambda: run.transport.round_trip,
            stopped=lambda: run.stop.requested,
            tick=run.tunables.controller_tick,
            first_tick=run.tunables.controller_first_tick,
        )

    def _limit_changed(self) -> None:
        run = self._run
        run.worker_limit.cap(most_workers(run.throttle.rate, run.throttle.options))

    async def _end_when_stopped(self, stages: anyio.CancelScope) -> None:
        """After a stop is requested: give back the files that wait, and give attempts `grace` seconds to end.

        Where the only reason is `--max-duration`, there is no such limit: files that have begun are worth finishing. It
        applies to presign calls, because their files would not be sent.
        """
        stop, grace = self._run.stop, self._run.options.grace
        await stop.wait()
        for stage in (self._batcher, self._ready, self._closer, self._rechecker, self._parts):
            if stage is not None:
                stage.wake()
        if not stop.presses:
            with anyio.move_on_after(grace):
                await stop.wait_pressing()
        if not stop.presses:
            self._run.cut_off.request()
            await stop.wait_pressing()
        await anyio.sleep(grace)
        stages.cancel()

    def _state(self) -> RunState:
        return run_state(paused=self._run.pause.on, stopping=self._run.stop.requested)

    def _sending(self, now: float, most: int) -> tuple[SendingFile, ...]:
        return sending_files(self._workers.under_way, now, most)

    def _depths(self) -> Mapping[str, int]:
        batcher, ready = self._batcher, self._ready
        return {
            "hashing": self._hasher.files(),
            "grouping": batcher.grouping,
            "requesting": batcher.asking,
            "ready": ready.ready,
            "waiting": batcher.waiting + ready.later + ready.held + self._rechecker.depth,
            "sending": self._run.worker_limit.busy,
            "closing": self._closer.depth,
            "recording": self._recorder.depth,
        }


def disposal_stage(run: Run) -> Disposal | None:
    """Return the stage that removes uploaded files, None where they stay."""
    if run.options.disposal is None:
        return None
    from bulkup.pipeline.disposal import Disposal  # noqa: PLC0415  # most runs remove nothing
    from bulkup.pipeline.files.removal import FileRemover  # noqa: PLC0415  # the same

    return Disposal(run, FileRemover(run.options.disposal.move_to))


def _process_pool(run: Run, setup: Setup | None) -> ProcessPool | None:
    """Return the pool of sending processes, None where this process sends all files."""
    if setup is None or run.options.processes == 1:
        return None
    return ProcessPool(setup, run.clock, run.options.processes, run.tunables.process, throttle=run.throttle)
