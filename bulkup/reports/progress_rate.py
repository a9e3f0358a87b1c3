"""Computes rate, percentage and remaining time of a run. The time is passed in; no I/O."""

from __future__ import annotations

from collections import deque

from bulkup.helpers.quick_dataclass import dataclass
from bulkup.model.counters import Counters


class SlidingRate:
    """The growth of a total per second, averaged over a sliding window of `window` seconds.

    At least the last two samples are kept, so samples may be further apart than the window.
    """

    def __init__(self, window: float = 10.0) -> None:
        self._window = window
        self._samples: deque[tuple[float, int]] = deque()

    def add(self, now: float, total: int) -> None:
        """Add a sample of the total at `now` (monotonic seconds)."""
        self._samples.append((now, total))
        # The last sample before the window is kept: without it the window would be too short.
        while len(self._samples) > 2 and self._samples[1][0] <= now - self._window:
            self._samples.popleft()

    def per_second(self) -> float:
        """Return the growth per second up to the last sample, 0 with fewer than two samples."""
        if not self._samples:
            return 0.0
        (start, before), (end, after) = self._samples[0], self._samples[-1]
        return (after - before) / (end - start) if end > start else 0.0


def percent(counters: Counters) -> int | None:
    """Return the finished share in whole per cent, by bytes, or by files if all are empty.

    It is None during the scan, because the total is unknown. It is rounded down, and 100 only if no file remains.
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
    """Return the seconds that the remaining bytes take at this rate.

    None if it is unknown: during the scan, while no byte is sent, or if only empty files remain.
    """
    if not counters.scan_done:
        return None
    if not counters.remaining:
        return 0.0
    left = counters.bytes_found - counters.bytes_done
    return left / bytes_per_second if left > 0 and bytes_per_second > 0 else None


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress at one time: bytes per second, per cent, seconds left. None stands for unknown."""

    rate: float
    percent: int | None
    eta: float | None


class ProgressMeter:
    """Computes the progress of a run from samples of its counters."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._rate = SlidingRate()

    def sample(self, now: float) -> Progress:
        """Return the progress at `now` (monotonic seconds). The rate includes the bytes of failed attempts."""
        self._rate.add(now, self._counters.bytes_sent)
        rate = self._rate.per_second()
        return Progress(rate, percent(self._counters), eta_seconds(self._counters, rate))
