"""Series over time from samples, and shares of histograms."""

from __future__ import annotations

import pytest

from bulkup.model.run_record import NO_DURATIONS, STAGES, Durations, RunSample
from bulkup.reports.run_report.time_series import buckets, mean, points, within

LATENCIES = Durations((0.01, 0.1, 1.0), (0, 8, 0, 2), 5.0)


def samples(number: int) -> list[RunSample]:
    return [RunSample(n * 0.5, n * 10, n * 1000, n // 2, 0, 4, (1, 2, 3, 4, 5, 6, 7, 8)) for n in range(number)]


def test_a_point_has_the_rates_since_the_point_before() -> None:
    (point,) = points(samples(2))
    assert (point.at, point.files, point.bytes) == (0.5, 20.0, 2000.0)
    assert (point.sending, point.waiting) == (6, 2 + 3 + 4 + 5)
    assert STAGES[5] == "sending"


@pytest.mark.parametrize("number", [0, 1, 2, 60, 61, 62, 119, 500])
def test_the_points_are_bounded_and_reach_to_the_end(number: int) -> None:
    found = points(samples(number), most=60)
    assert len(found) <= 60
    assert [point.at for point in found[-1:]] == [(number - 1) * 0.5] * (number > 1)
    assert {round(point.files, 6) for point in found} <= {20.0}


def test_samples_at_one_moment_make_no_point() -> None:
    assert points([*samples(1), *samples(1)]) == []


def test_empty_buckets_at_both_ends_are_left_out() -> None:
    assert [(bucket.low, bucket.high, bucket.number) for bucket in buckets(LATENCIES)] == [
        (0.01, 0.1, 8),
        (0.1, 1.0, 0),
        (1.0, None, 2),
    ]
    assert buckets(LATENCIES)[0].share == 1.0
    assert buckets(NO_DURATIONS) == []


def test_shares_and_mean() -> None:
    assert within(LATENCIES, 0.5) == 0.1
    assert within(LATENCIES, 0.95) is None
    assert (mean(LATENCIES), mean(NO_DURATIONS)) == (0.5, None)
