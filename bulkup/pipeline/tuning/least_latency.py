"""The least time that a file took, which tells when files begin to wait for one another. Pure."""

from __future__ import annotations

import math

from bulkup.helpers.quick_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class LeastLatencyOptions:
    """How long the least time counts, in seconds, and how many times larger or smaller files have another one."""

    memory: float = 60.0
    other_size: float = 2.0


class LeastLatency:
    """The least average time of a file in recent samples (`seconds`), for files of about the last size."""

    def __init__(self, options: LeastLatencyOptions) -> None:
        self.seconds = math.inf
        self._options = options
        self._size = 0.0
        self._at = -math.inf

    def add(self, now: float, latency: float, size: float) -> None:
        """Take the average time and the average size of the files of a sample."""
        smaller, larger = sorted((1 + size, 1 + self._size))
        other = larger > smaller * self._options.other_size or now - self._at > self._options.memory
        if other or latency <= self.seconds:
            self.seconds, self._size, self._at = latency, size, now

    def forget(self) -> None:
        """Forget the samples so far: the link has changed."""
        self.seconds = math.inf
