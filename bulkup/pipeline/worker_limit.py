"""How many of the workers may have a file at a time, and what they have done; the others stand aside."""

from __future__ import annotations

import anyio

from bulkup.model.counters import Counters
from bulkup.pipeline.options import LARGE


class WorkerLimit:
    """Counts what workers do, and says which of them may go on: those with a number below `wanted`.

    `files` and `failed` are attempts that have ended; `bytes` are those of files that storage took, and of large ones
    what has gone out. `busy` are the workers that have a file.
    """

    def __init__(self, wanted: int, counters: Counters) -> None:
        self.wanted = 0
        self.busy = self.files = self.failed = self.bytes = 0
        self._counters = counters
        self._more = anyio.Event()
        self.want(wanted)

    def want(self, workers: int) -> None:
        """Have so many workers go on, once those that are too many have ended what they do."""
        self.wanted = self._counters.concurrency = workers
        self._counters.concurrency_peak = max(self._counters.concurrency_peak, workers)
        self._more.set()
        self._more = anyio.Event()

    async def stand_aside(self, number: int) -> None:
        """Return when the worker of this number, counted from 0, is wanted."""
        while number >= self.wanted:
            await self._more.wait()

    def begin(self) -> None:
        """Note that a worker begins an attempt."""
        self.busy += 1

    def end(self, size: int, *, taken: bool) -> None:
        """Note that an attempt has ended; whether storage has taken the file, of `size` bytes."""
        self.busy -= 1
        if not taken:
            self.failed += 1
            return
        self.files += 1
        if size <= LARGE:
            self.bytes += size
