"""Scales, ticks and paths of charts."""

from __future__ import annotations

import re

import pytest

from bulkup.model.run_record import Durations
from bulkup.reports.run_report.charts import (
    HEIGHT,
    WIDTH,
    bars_of,
    bound_text,
    bound_ticks,
    line_of,
    nice_top,
    number_text,
    span_text,
    time_ticks,
    value_ticks,
)
from bulkup.reports.run_report.time_series import buckets

BUCKETS = buckets(Durations((0.005, 0.5, 60.0), (1, 6, 1, 2), 100.0))


@pytest.mark.parametrize(
    ("largest", "top"), [(0, 1), (0.03, 0.03), (1, 1), (7.2, 8), (101, 150), (960, 1000), (9.9e9, 1e10)]
)
def test_a_scale_ends_with_a_round_number(largest: float, top: float) -> None:
    assert nice_top(largest) == pytest.approx(top)


@pytest.mark.parametrize("seconds", [0.05, 0.4, 7.7, 59.0, 61.0, 2530.0, 86_400.0, 1e7])
def test_times_are_round_and_inside_of_the_axis(seconds: float) -> None:
    ticks = time_ticks(seconds)
    assert 1 <= len(ticks) <= 7
    assert all(0 <= tick.place <= WIDTH for tick in ticks)
    assert len({tick.label for tick in ticks}) == len(ticks)


def test_labels_of_times_have_their_unit() -> None:
    assert [tick.label for tick in time_ticks(2530.0)] == ["0", "15 min", "30 min"]
    assert [tick.label for tick in time_ticks(0.9)] == ["0", "0.5 s"]


def test_values_go_from_the_bottom_to_the_top() -> None:
    assert [(tick.place, tick.label) for tick in value_ticks(8)] == [(HEIGHT, "0"), (HEIGHT / 2, "4"), (0, "8")]


@pytest.mark.parametrize("steps", [True, False])
def test_a_line_spans_the_plot_and_stays_inside(steps: bool) -> None:
    line = line_of("files", "files", [1.0, 2.0, 4.0], [0.0, 5.0, 20.0], 10.0, steps=steps, area=True)
    places = [tuple(map(float, pair.split())) for pair in re.split("[ML]", line.path)[1:]]
    assert (places[0][0], places[-1][0]) == (0.0, WIDTH)
    assert all(0 <= y <= HEIGHT for _, y in places)
    assert line.area.startswith(line.path)


def test_bars_that_are_not_empty_can_be_seen() -> None:
    bars = bars_of(BUCKETS, 10_000)
    assert len(bars) == 4
    assert min(bar.height for bar in bars) >= 1.5
    assert all(bar.y + bar.height == pytest.approx(HEIGHT) for bar in bars)
    assert [bar.label for bar in bars_of(BUCKETS, 10)] == ["10 %", "60 %", "10 %", "20 %"]


def test_bounds_are_labelled_between_the_bars() -> None:
    assert [tick.label for tick in bound_ticks(BUCKETS)] == ["5 ms", "500 ms", "1 min"]
    assert [span_text(bucket) for bucket in BUCKETS] == [
        "up to 5 ms",
        "5 ms to 500 ms",
        "500 ms to 1 min",
        "over 1 min",
    ]
    assert (bound_text(900.0), bound_text(3600.0)) == ("15 min", "1 h")


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (0.034, "0.034"), (7.26, "7.3"), (12.34, "12.3"), (1234.5, "1,234"), (5.0, "5")]
)
def test_numbers_have_few_digits(value: float, text: str) -> None:
    assert number_text(value) == text
