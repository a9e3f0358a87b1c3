"""Starts and withdraws sending processes while a run goes on (`processes = "auto"`): measures, asks the trial."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

import anyio

from bulkup.errors import MachineError
from bulkup.helpers.clock import Clock
from bulkup.helpers.event_logger import EventLogger
from bulkup.model.log_events import LogEvent
from bulkup.pipeline.tuning.cores import IdleCores, usable_cores
from bulkup.pipeline.tuning.goodput import REQUEST
from bulkup.pipeline.tuning.process_trial import ProcessTrial, ProcessTrialOptions, Window
from bulkup.pipeline.worker_limit import WorkerLimit

_log = EventLogger("bulkup.processes")


class Pool(Protocol):
    """The sending processes (`processes.process_pool`)."""

    @property
    def ready(self) -> int:
        """The number of processes that take attempts."""

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
        clock: Clock,
        *,
        waiting: Callable[[], bool],
        stopped: Callable[[], bool],
        options: ProcessTrialOptions,
    ) -> None:
        self._pool = pool
        self._limit = limit
        self._clock = clock
        self._waiting = waiting
        self._stopped = stopped
        self._window = options.window
        self._trial = ProcessTrial(usable_cores(), options)
        self._idle = IdleCores()
        self._wanted = 0
        self._at, self._cpu, self._work = clock.monotonic(), time.process_time(), 0.0

    async def work(self) -> None:
        """Try, keep or withdraw processes, until `stopped` or until a process is lost."""
        try:
            while not self._stopped() and not self._pool.broken:
                await anyio.sleep(self._window)
                await self._have(self._trial.take(self._seen()))
        except MachineError as error:
            _log.warning(LogEvent.PROCESSES_UNAVAILABLE, reason=error.message)
        if not self._stopped():
            await self._pool.withdraw()

    async def _have(self, wanted: int) -> None:
        if wanted > self._wanted:
            _log.debug(LogEvent.PROCESSES_STARTED, processes=wanted)
            await self._pool.start(wanted)
        elif wanted < self._wanted:
            _log.debug(LogEvent.PROCESSES_WITHDRAWN)
            await self._pool.withdraw()
        self._wanted = wanted

    def _seen(self) -> Window:
        at, cpu = self._clock.monotonic(), time.process_time()
        work = self._limit.bytes + self._limit.files * REQUEST
        passed = at - self._at
        cores, done = (cpu - self._cpu) / passed, (work - self._work) / passed
        self._at, self._cpu, self._work = at, cpu, work
        return Window(done, cores, self._idle.since_last(cores), self._waiting(), self._pool.ready)
