"""The least time that a file took, which tells when files begin to wait for one another. Pure."""

from __future__ import annotations

import math

from bulkup.helpers.quick_dataclass import dataclass

_FIRST_WINDOW = 10 * 1448  # bytes that a new connection sends in its first round trip (RFC 6928)
_OTHER_ROUNDS = 4  # to open the connection, for the answer, and for packets that got lost
_STORE_SECONDS = 0.15  # a store such as S3 takes up to this long for a small file, however near it is
_ENOUGH_WINDOWS = 4  # smaller files take as long as the store needs, not as long as the link


@dataclass(frozen=True, slots=True)
class LeastLatencyOptions:
    """How long the least time counts, in seconds, and how many times larger or smaller files have another one."""

    memory: float = 60.0
    other_size: float = 2.0


def unhurried_seconds(round_trip: float, size: float) -> float:
    """Return how long a file takes at most over a new connection while the link is not full, infinity if unknown.

    TCP sends twice as many bytes in each round trip (slow start). The store's own time is not known, so it is taken to
    be long. Of a file of few packets it is the largest part.
    """
    if size < _ENOUGH_WINDOWS * _FIRST_WINDOW:
        return math.inf
    return _STORE_SECONDS + round_trip * (_OTHER_ROUNDS + math.log2(1 + size / _FIRST_WINDOW))


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
