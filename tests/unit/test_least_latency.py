"""The least time that a file took."""

from __future__ import annotations

import math

import pytest

from bulkup.pipeline.tuning.least_latency import LeastLatency, LeastLatencyOptions, unhurried_seconds

OPTIONS = LeastLatencyOptions(memory=60.0, other_size=2.0)
MIB = 1024**2


@pytest.mark.parametrize(
    ("samples", "least"),
    [
        ([(0.0, 0.2, MIB)], 0.2),
        ([(0.0, 0.2, MIB), (1.0, 0.7, MIB)], 0.2),
        ([(0.0, 0.7, MIB), (1.0, 0.2, MIB)], 0.2),
        ([(0.0, 0.2, MIB), (61.0, 0.7, MIB)], 0.7),
        ([(0.0, 0.2, MIB), (50.0, 0.2, MIB), (100.0, 0.7, MIB)], 0.2),
        ([(0.0, 0.2, MIB), (1.0, 0.7, 3 * MIB)], 0.7),
        ([(0.0, 0.2, MIB), (1.0, 0.7, MIB / 3)], 0.7),
        ([(0.0, 0.2, MIB), (1.0, 0.7, 1.5 * MIB)], 0.2),
        ([(0.0, 0.2, 0.0), (1.0, 0.7, 0.0)], 0.2),
        ([(-100.0, 0.2, MIB), (-99.0, 0.7, MIB)], 0.2),
    ],
)
def test_the_least_of_the_last_minute_counts_for_files_of_this_size(
    samples: list[tuple[float, float, float]], least: float
) -> None:
    tested = LeastLatency(OPTIONS)
    for now, latency, size in samples:
        tested.add(now, latency, size)
    assert tested.seconds == least


def test_another_link_has_another_least_latency() -> None:
    tested = LeastLatency(OPTIONS)
    tested.add(0.0, 0.2, MIB)
    tested.forget()
    tested.add(1.0, 0.7, MIB)
    assert tested.seconds == 0.7


@pytest.mark.parametrize(
    ("size", "round_trips"), [(14_480 * 7, 7), (14_480 * 15, 8), (14_480 * 63, 10), (10_000, math.inf)]
)
def test_on_a_link_that_is_not_full_tcp_sends_twice_as_much_in_each_round_trip(size: int, round_trips: float) -> None:
    """Four round trips are for other things, and 0.15 seconds for the store, on which a file of few packets depends."""
    assert unhurried_seconds(0.2, size) == pytest.approx(0.15 + 0.2 * round_trips)
