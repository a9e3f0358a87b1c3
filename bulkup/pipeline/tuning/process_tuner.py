"""Finds out by trying whether sending processes bring anything; `worth` decides."""

from __future__ import annotations

import time
from collections.abc import Callable

import anyio
import structlog

from bulkup.errors import MachineError
from bulkup.model.log_events import LogEvent
from bulkup.pipeline.processes.process_pool import ProcessPool
from bulkup.pipeline.run import Run
from bulkup.pipeline.tuning.cores import IdleCores, usable_cores
from bulkup.pipeline.tuning.goodput import REQUEST
from bulkup.pipeline.tuning.process_trial import ProcessTrial, Window

_log = structlog.get_logger("bulkup.processes")
_WINDOW = 0.25  # seconds


class ProcessTuner:
    """Looks at the run a few times a second; `waiting` says whether files wait for a worker."""

    def __init__(self, run: Run, pool: ProcessPool, waiting: Callable[[], bool]) -> None:
        self._run = run
        self._pool = pool
        self._waiting = waiting
        self._worth = ProcessTrial(usable_cores())
        self._idle = IdleCores()
        self._wanted = 0
        self._at, self._cpu, self._work = run.clock.monotonic(), time.process_time(), 0.0

    async def work(self) -> None:
        """Try, keep or withdraw, until the run is to end or a process was lost."""
        try:
            while not self._run.stop.requested and not self._pool.broken:
                await anyio.sleep(_WINDOW)
                await self._have(self._worth.take(self._seen()))
        except MachineError as error:
            _log.warning(LogEvent.PROCESSES_UNAVAILABLE, reason=error.message)
        if not self._run.stop.requested:
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
        at, cpu, slots = self._run.clock.monotonic(), time.process_time(), self._run.slots
        work = slots.bytes + slots.files * REQUEST
        passed = at - self._at
        cores, done = (cpu - self._cpu) / passed, (work - self._work) / passed
        self._at, self._cpu, self._work = at, cpu, work
        return Window(done, cores, self._idle.since_last(cores), self._waiting(), self._pool.ready)
