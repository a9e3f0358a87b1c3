"""Starts sending processes while a run goes on (`processes = "auto"`): measures, asks the plan."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

import anyio

from bulkup.errors import MachineError
from bulkup.helpers.clock import Clock
from bulkup.helpers.event_logger import EventLogger
from bulkup.model.counters import Counters
from bulkup.model.log_events import LogEvent
from bulkup.pipeline.tuning.cores import IdleCores, usable_cores
from bulkup.pipeline.tuning.goodput import REQUEST
from bulkup.pipeline.tuning.process_plan import ProcessPlan, ProcessPlanOptions, Window
from bulkup.pipeline.worker_limit import WorkerLimit

_log = EventLogger("bulkup.processes")


class Pool(Protocol):
    """The sending processes (`processes.process_pool`)."""

    @property
    def broken(self) -> bool:
        """Return whether a process ended unexpectedly."""

    async def start(self, count: int) -> None:
        """Start processes. Raises `MachineError`."""

    async def withdraw(self) -> None:
        """End all processes, once their attempts have ended."""


class ProcessTuner:
    """Measures the run once per window, until `stopped`. `waiting` says whether files wait for a worker."""

    def __init__(
        self,
        pool: Pool,
        limit: WorkerLimit,
        counters: Counters,
        clock: Clock,
        *,
        waiting: Callable[[], bool],
        stopped: Callable[[], bool],
        options: ProcessPlanOptions,
    ) -> None:
        self._pool = pool
        self._limit = limit
        self._counters = counters
        self._clock = clock
        self._waiting = waiting
        self._stopped = stopped
        self._window = options.window
        self._plan = ProcessPlan(usable_cores(), options)
        self._idle = IdleCores()
        self._wanted = 0
        self._at, self._cpu, self._work = clock.monotonic(), time.process_time(), 0.0
        self._first: float | None = None  # the end of the last window without work

    async def work(self) -> None:
        """Start processes when they pay, and withdraw all of them when one is lost; until `stopped`."""
        try:
            while not self._stopped() and not self._pool.broken:
                await anyio.sleep(self._window)
                await self._have(self._plan.take(self._seen()))
        except MachineError as error:
            _log.warning(LogEvent.PROCESSES_UNAVAILABLE, reason=error.message)
        if not self._stopped():
            await self._pool.withdraw()

    async def _have(self, wanted: int) -> None:
        if wanted > self._wanted:
            _log.debug(LogEvent.PROCESSES_STARTED, processes=wanted)
            self._wanted = wanted
            await self._pool.start(wanted)

    def _seen(self) -> Window:
        at, cpu, counters = self._clock.monotonic(), time.process_time(), self._counters
        work = self._limit.bytes + self._limit.files * REQUEST
        passed = at - self._at
        cores, done = (cpu - self._cpu) / passed, (work - self._work) / passed
        if self._first is None and work:
            self._first = self._at
        self._at, self._cpu, self._work = at, cpu, work
        return Window(
            lasted=at - self._first if self._first is not None else 0.0,
            work=done,
            left=counters.bytes_found - counters.bytes_done + counters.remaining * REQUEST,
            all_found=counters.scan_done,
            cores=cores,
            idle=self._idle.since_last(cores),
            waiting=self._waiting(),
        )
