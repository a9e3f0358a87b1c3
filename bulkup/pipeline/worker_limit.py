"""How many workers may have a file at a time, and the figures of their attempts; the other workers stand aside."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import anyio

from bulkup.model.counters import Counters
from bulkup.pipeline.options import LARGE


class WorkerLimit:
    """Counts attempts. Workers with a number below `wanted` may take a file.

    `asked` is the number that was set, which `cap` may bound.

    `files` counts attempts that storage accepted, `failed` the other ones that have ended. `bytes` are those of
    accepted files; of large files, the bytes that were sent. `busy` is the number of workers that have a file, `large`
    of those with a large file, and `spent` the seconds that all ended attempts took together.
    """

    def __init__(self, wanted: int, counters: Counters) -> None:
        self.wanted = self.asked = 0
        self._cap: int | None = None
        self.busy = self.large = self.files = self.failed = self.bytes = 0
        self.spent = 0.0
        self._counters = counters
        self._throughput = Throughput()
        self._more = anyio.Event()
        self._on_room: Callable[[], None] = _nothing
        self.want(wanted)

    def want(self, workers: int) -> None:
        """Set the number of workers that may take a file. Surplus workers finish their attempt first."""
        self.asked = workers
        self._set(workers if self._cap is None else min(workers, self._cap))

    def cap(self, most: int | None) -> None:
        """Bound the number of workers, whatever number is set; None for no bound."""
        self._cap = most
        self.want(self.asked)

    def _set(self, workers: int) -> None:
        self.wanted = self._counters.concurrency = workers
        self._counters.concurrency_peak = max(self._counters.concurrency_peak, workers)
        self._more.set()
        self._more = anyio.Event()
        self._on_room()

    async def stand_aside(self, number: int) -> None:
        """Return when the worker of this number, counted from 0, may take a file."""
        self._on_room()
        while number >= self.wanted:
            await self._more.wait()

    def on_room(self, listener: Callable[[], None]) -> None:
        """Call `listener` when the limit is set again, and when a worker ends an attempt and stands aside."""
        self._on_room = listener

    def begin(self, now: float, size: int) -> None:
        """Note that an attempt of `size` bytes begins at `now` (monotonic seconds)."""
        self.busy += 1
        if size > LARGE:
            self.large += 1
        self._throughput.begin(now)

    def end(self, begun: float, now: float, size: int, *, stored: bool) -> None:
        """Note that an attempt of `size` bytes lasted from `begun` to `now`, and whether storage took them."""
        self.busy -= 1
        if size > LARGE:
            self.large -= 1
        self.spent += now - begun
        self._throughput.count(now)
        if not stored:
            self.failed += 1
            return
        self.files += 1
        if size <= LARGE:
            self.bytes += size

    def forget_rate(self) -> None:
        """Measure the rate anew, because the run was paused: a time without attempts says nothing about it."""
        self._throughput = Throughput()

    def rate(self, now: float) -> float | None:
        """Return attempts per second, None before there is enough of a past."""
        return self._throughput.rate(now)


def _nothing() -> None:
    """Do nothing: files are taken by workers alone."""


class Throughput:
    """Ended attempts per second, over the last `window` seconds. Begun ones do not count: many begin at once."""

    def __init__(self, window: float = 10.0) -> None:
        self._window = window
        self._step = window / 100
        self._ended: deque[list[float]] = deque()  # time and number
        self._latest = [-float("inf"), 0.0]
        self._total = 0.0
        self._since: float | None = None

    def begin(self, now: float) -> None:
        """Note that an attempt begins at `now` (monotonic seconds)."""
        if self._since is None:
            self._since = now

    def count(self, now: float) -> None:
        """Note that an attempt ended."""
        self._total += 1
        latest = self._latest
        if now - latest[0] < self._step:  # a hundred entries are fine enough, and bound the memory at any speed
            latest[1] += 1
        else:
            self._latest = [now, 1]
            self._ended.append(self._latest)

    def rate(self, now: float) -> float | None:
        """Return the rate, None before there is enough of a past. The attempt that ends next counts as well."""
        while self._ended and self._ended[0][0] < now - self._window:
            self._total -= self._ended.popleft()[1]
        if self._since is None or now - self._since < self._window / 10:
            return None
        return (self._total + 1) / min(self._window, now - self._since)
