"""How many bytes of files may be sent now (`bwlimit`).

Theory of operation
-------------------

A token bucket: it fills at the rate of the limit, up to the bytes of `burst` seconds, and each piece that is sent takes
its bytes out. So within any time at most the rate times this time is sent, plus one burst: in one second 1.1 times the
limit. Tokens that a busy machine could not use in time are made up for within the burst, and lost beyond it.

A file in memory is taken whole if it is small beside the burst, and all others in pieces of `piece` seconds. A piece
that is larger than the bucket, because the limit was lowered meanwhile, is taken once the bucket is full. The bucket
then owes bytes, which it fills up first.

Every file under way should get `least_per_file` bytes per second, or its connection would be idle for too long: stores
close one that sends nothing for some 20 seconds. So a low limit also limits the number of workers.

Only the bytes of files and forms count, not those of headers, TLS and packets.

Pure: times are monotonic seconds, passed in.
"""

from __future__ import annotations

from bulkup.helpers.quick_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class BandwidthOptions:
    """The granularity of the limit: `burst`, `piece` and `at_once` in seconds, the others in bytes."""

    burst: float = 0.1
    piece: float = 0.02
    at_once: float = 0.05
    largest_piece: int = 256 * 1024
    least_per_file: int = 8 * 1024


class TokenBucket:
    """The bytes that may be sent now, at `rate` bytes per second. It begins empty."""

    def __init__(self, rate: float, now: float, options: BandwidthOptions) -> None:
        self.rate = rate
        self._capacity = max(1.0, rate * options.burst)
        self._level = 0.0
        self._at = now

    def take(self, count: int, now: float) -> bool:
        """Take the bytes if they may be sent at `now`."""
        self._level = min(self._capacity, self._level + max(0.0, now - self._at) * self.rate)
        self._at = max(self._at, now)
        if self._level < self._needed(count):
            return False
        self._level -= count
        return True

    def seconds_until(self, count: int) -> float:
        """Return how long after the last call of `take` the bytes may be sent."""
        return max(0.0, self._needed(count) - self._level) / self.rate

    def _needed(self, count: int) -> float:
        return min(count, self._capacity)


def piece_size(rate: float, options: BandwidthOptions) -> int:
    """Return the most bytes that a large body may take at once."""
    return max(1, min(options.largest_piece, int(rate * options.piece)))


def whole_size(rate: float, options: BandwidthOptions) -> int:
    """Return the size up to which a body in memory is taken whole."""
    return int(rate * options.at_once)


def most_workers(rate: float | None, options: BandwidthOptions) -> int | None:
    """Return how many files may be under way, None for any number."""
    return None if rate is None else max(1, int(rate // options.least_per_file))
