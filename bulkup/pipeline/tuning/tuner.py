"""Sets the worker limit while a run goes on (`concurrency = "auto"`): observes the workers, asks the controller."""

from __future__ import annotations

import time
from collections.abc import Callable

import anyio

from bulkup.helpers.clock import Clock
from bulkup.helpers.event_logger import EventLogger
from bulkup.model.log_events import LogEvent
from bulkup.pipeline.tuning.controller import Controller
from bulkup.pipeline.tuning.goodput import Observation
from bulkup.pipeline.worker_limit import WorkerLimit

_log = EventLogger("bulkup.tuner")


class Tuner:
    """Observes the workers every `tick` seconds, until `stopped`; every `first_tick` until the first file has ended.

    `held` returns the number of files that wait because their host, or the limit on the bandwidth, admits no more.
    `in_groups` returns whether sending processes send the files because a processor was the limit. `round_trip` returns
    the seconds in which a connection to storage is opened, None where that is unknown.
    """

    def __init__(
        self,
        limit: WorkerLimit,
        controller: Controller,
        clock: Clock,
        *,
        held: Callable[[], int],
        in_groups: Callable[[], bool],
        round_trip: Callable[[], float | None],
        stopped: Callable[[], bool],
        tick: float,
        first_tick: float,
    ) -> None:
        self._limit = limit
        self._controller = controller
        self._clock = clock
        self._held = held
        self._in_groups = in_groups
        self._round_trip = round_trip
        self._stopped = stopped
        self._tick = tick
        self._first_tick = first_tick
        self._at, self._cpu = clock.monotonic(), time.process_time()

    async def work(self) -> None:
        """Adapt the limit until cancelled or `stopped`."""
        limit = self._limit
        while not self._stopped():
            wanted = self._controller.observe(self._seen())
            if wanted != limit.asked:
                _log.debug(LogEvent.CONCURRENCY_CHANGED, workers=wanted, before=limit.asked)
                limit.want(wanted)
            await anyio.sleep(self._tick if limit.files or limit.failed else self._first_tick)

    def _seen(self) -> Observation:
        limit, now, cpu = self._limit, self._clock.monotonic(), time.process_time()
        cores = (cpu - self._cpu) / (now - self._at) if now > self._at else 0.0
        self._at, self._cpu = now, cpu
        totals = limit.files, limit.failed, limit.bytes
        return Observation(
            now, *totals, limit.busy, self._held(), limit.spent, self._in_groups(), self._round_trip(), cores
        )
