"""Has the number of workers follow what comes of them, for as long as the run goes on (`concurrency = "auto"`)."""

from __future__ import annotations

from collections.abc import Callable

import anyio
import structlog

from bulkup.model.log_events import LogEvent
from bulkup.pipeline.run import Run
from bulkup.pipeline.tuning.controller import Controller
from bulkup.pipeline.tuning.goodput import Observation

_log = structlog.get_logger("bulkup.tuner")
_TICK = 0.05


class Tuner:
    """Looks at the workers twenty times a second; `held` says how many files wait for their host to have room."""

    def __init__(self, run: Run, held: Callable[[], int]) -> None:
        self._run = run
        self._held = held
        self._controller = Controller(run.options.concurrency)

    async def work(self) -> None:
        """Adapt until cancelled, or until the run is to end."""
        slots = self._run.slots
        while not self._run.stop.requested:
            wanted = self._controller.observe(self._seen())
            if wanted != slots.wanted:
                _log.debug(LogEvent.CONCURRENCY_CHANGED, workers=wanted, before=slots.wanted)
                slots.want(wanted)
            await anyio.sleep(_TICK)

    def _seen(self) -> Observation:
        slots, now = self._run.slots, self._run.clock.monotonic()
        return Observation(now, slots.files, slots.failed, slots.bytes, slots.busy, self._held())
