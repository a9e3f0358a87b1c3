"""The arithmetic of progress, with time passed in. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from bulkup.model.counters import Counters


class SlidingRate:
    """How fast a total grows, as the mean over a sliding window of `window` seconds.

    At least the last two samples are kept: sampling less often than the window gives the mean in between.
    """

    def __init__(self, window: float = 10.0) -> None:
        self._window = window
        self._samples: deque[tuple[float, int]] = deque()

    def add(self, now: float, total: int) -> None:
        """Note that the total stands at `total` at `now` (monotonic seconds)."""
        self._samples.append((now, total))
        # The sample at or before the window's edge stays: without it the window would be too short.
        while len(self._samples) > 2 and self._samples[1][0] <= now - self._window:
            self._samples.popleft()

    def per_second(self) -> float:
        """Return the growth a second up to the last sample; 0 while there is nothing to tell it from."""
        if not self._samples:
            return 0.0
        (start, before), (end, after) = self._samples[0], self._samples[-1]
        return (after - before) / (end - start) if end > start else 0.0


def percent(counters: Counters) -> int | None:
    """Return the share done in whole per cent, by bytes where there are any, else by files.

    None while the scan goes on: the whole is not known. Rounded down, and 100 only when nothing remains.
    """
    if not counters.scan_done:
        return None
    if not counters.remaining:
        return 100
    if counters.bytes_found:
        share = 100 * counters.bytes_done // counters.bytes_found
    else:
        share = 100 * counters.settled // counters.found
    return max(0, min(99, share))


def eta_seconds(counters: Counters, bytes_per_second: float) -> float | None:
    """Return how long the bytes that are left take at this speed, in seconds.

    None while that cannot be known: the scan goes on, nothing moves, or only empty files remain.
    """
    if not counters.scan_done:
        return None
    if not counters.remaining:
        return 0.0
    left = counters.bytes_found - counters.bytes_done
    return left / bytes_per_second if left > 0 and bytes_per_second > 0 else None


@dataclass(frozen=True, slots=True)
class Progress:
    """What the counters tell at one moment: bytes a second, per cent, seconds left; None if unknown."""

    rate: float
    percent: int | None
    eta: float | None


class ProgressMeter:
    """Samples the counters of a run."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._rate = SlidingRate()

    def sample(self, now: float) -> Progress:
        """Return the pace at `now` (monotonic seconds). The rate counts bytes of failed attempts too."""
        self._rate.add(now, self._counters.bytes_sent)
        rate = self._rate.per_second()
        return Progress(rate, percent(self._counters), eta_seconds(self._counters, rate))
