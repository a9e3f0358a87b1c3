"""Rate, percentage and remaining time of a run."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.model.counters import Counters
from bulkup.reports.progress_rate import Progress, ProgressMeter, SlidingRate, eta_seconds, percent


def test_a_rate_needs_two_samples() -> None:
    rate = SlidingRate()
    assert rate.per_second() == 0
    rate.add(1.0, 5)
    assert rate.per_second() == 0
    rate.add(1.0, 9)
    assert rate.per_second() == 0


def test_the_rate_of_constant_growth() -> None:
    rate = SlidingRate()
    for tick in range(100):
        rate.add(tick * 0.5, tick * 50)
        assert tick == 0 or rate.per_second() == 100


def test_the_rate_drops_to_zero_within_the_window() -> None:
    rate = SlidingRate(10)
    for tick in range(41):
        rate.add(tick * 0.5, min(tick, 20) * 50)
    assert rate.per_second() == 0


def test_samples_may_be_further_apart_than_the_window() -> None:
    rate = SlidingRate(10)
    for tick in range(5):
        rate.add(tick * 30.0, tick * 300)
        assert tick == 0 or rate.per_second() == 10


@given(st.lists(st.tuples(st.floats(0.01, 100), st.integers(0, 10**9)), min_size=2, max_size=50))
def test_the_rate_lies_between_the_slowest_and_the_fastest_step(steps: list[tuple[float, int]]) -> None:
    rate, now, total, seen = SlidingRate(), 0.0, 0, []
    rate.add(now, total)
    for span, grown in steps:
        before, now, total = now, now + span, total + grown
        rate.add(now, total)
        seen.append(grown / (now - before))
    assert min(seen) * 0.999 - 1e-6 <= rate.per_second() <= max(seen) * 1.001 + 1e-6


@pytest.mark.parametrize(
    ("figures", "share"),
    [
        ({"found": 4, "uploaded": 2, "bytes_found": 10, "bytes_settled": 5, "scan_done": False}, None),
        ({"scan_done": True}, 100),
        ({"found": 4, "uploaded": 2, "bytes_found": 10, "bytes_settled": 1, "scan_done": True}, 10),
        ({"found": 4, "uploaded": 1, "scan_done": True}, 25),
        ({"found": 1000, "uploaded": 999, "bytes_found": 9, "bytes_settled": 9, "scan_done": True}, 99),
        ({"found": 2, "failed": 2, "bytes_found": 9, "bytes_settled": 8, "scan_done": True}, 100),
    ],
)
def test_percent_is_rounded_down(figures: Any, share: int | None) -> None:
    assert percent(Counters(**figures)) == share


def test_the_remaining_time_needs_a_total_and_a_rate() -> None:
    figures = Counters(found=2, uploaded=1, bytes_found=300, bytes_settled=100)
    assert eta_seconds(figures, 10.0) is None
    figures.scan_done = True
    assert eta_seconds(figures, 10.0) == 20
    assert eta_seconds(figures, 0.0) is None
    figures.bytes_settled = 300
    assert eta_seconds(figures, 10.0) is None
    figures.uploaded = 2
    assert eta_seconds(figures, 0.0) == 0


def test_failed_attempts_count_only_for_the_rate() -> None:
    figures = Counters(found=2, bytes_found=200, scan_done=True)
    meter = ProgressMeter(figures)
    meter.sample(0.0)
    figures.bytes_sent, figures.retries = 1000, 10
    assert meter.sample(10.0) == Progress(rate=100.0, percent=0, eta=2.0)


def test_bytes_in_flight_count_until_their_attempt_fails() -> None:
    """A single large file changes the figures before it settles."""
    figures = Counters(found=1, bytes_found=100, bytes_moving=40, scan_done=True)
    assert percent(figures) == 40
    assert eta_seconds(figures, 10.0) == 6.0
    figures.bytes_moving = 0
    assert percent(figures) == 0
