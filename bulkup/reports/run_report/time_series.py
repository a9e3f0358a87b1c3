"""Samples of a run as series over time, and histograms as shares.

Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

from bulkup.model.run_record import STAGES, Durations, RunSample

POINTS = 60  # in a chart
_WAITING = ("grouping", "requesting", "ready", "waiting")


class Point(NamedTuple):
    """The figures from the point before up to `at` seconds: rates per second, and the state at its end.

    `waiting` are files that were found and hashed and are not being sent: they lack a URL, a worker, or wait for a
    retry. `failures` and `retries` are those since the begin of the run.
    """

    at: float
    files: float
    bytes: float
    concurrency: int
    sending: int
    waiting: int
    failures: int
    retries: int


def points(samples: Sequence[RunSample], most: int = POINTS) -> list[Point]:
    """Return at most so many points. Without two samples at different times there is none."""
    step = -(-max(1, len(samples) - 1) // most)
    chosen = [*samples[:-1:step], *samples[-1:]]
    return [_point(before, after) for before, after in pairwise(chosen) if after.at > before.at]


def _point(before: RunSample, after: RunSample) -> Point:
    seconds, depths = after.at - before.at, dict(zip(STAGES, after.depths, strict=False))
    return Point(
        after.at,
        max(0.0, (after.files - before.files) / seconds),
        max(0.0, (after.bytes - before.bytes) / seconds),
        after.concurrency,
        depths.get("sending", 0),
        sum(depths.get(stage, 0) for stage in _WAITING),
        after.failures,
        after.retries,
    )


def has_work(samples: Sequence[RunSample]) -> bool:
    """Return whether a file was settled, sent or on its way in any of the samples."""
    return any(
        sample.files or sample.bytes or sample.failures or sample.retries or any(sample.depths) for sample in samples
    )


class Bucket(NamedTuple):
    """Durations above `low` and up to `high` seconds, None for no bound. The `share` of the largest bucket is 1."""

    low: float
    high: float | None
    number: int
    share: float


def buckets(durations: Durations) -> list[Bucket]:
    """Return the buckets from the first to the last that is not empty."""
    lows, highs = (0.0, *durations.bounds), (*durations.bounds, None)
    largest = max(durations.counts, default=0)
    if not largest:
        return []
    found = [
        Bucket(low, high, count, count / largest)
        for low, high, count in zip(lows, highs, durations.counts, strict=True)
    ]
    used = [number for number, bucket in enumerate(found) if bucket.number]
    return found[used[0] : used[-1] + 1]


def within(durations: Durations, share: float) -> float | None:
    """Return the smallest bound that this share of the durations does not exceed, None if that is the last bucket."""
    wanted = share * durations.total
    for bound, count in zip(durations.bounds, accumulate(durations.counts), strict=False):
        if count >= wanted:
            return bound
    return None


def mean(durations: Durations) -> float | None:
    """Return the mean duration in seconds, None without any."""
    return durations.sum / durations.total if durations.total else None
