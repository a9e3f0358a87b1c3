"""Totals, rates, percentage and remaining time of a run. Time is a number here."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.model.counters import Counted, Counters, Gauge
from bulkup.model.progress import Progress, RunState, SendingFile
from bulkup.reports.progress_rate import (
    ProgressMeter,
    SlidingRate,
    Speed,
    eta_seconds,
    percent,
    totals,
)

MIB = 1024**2
NOT_COUNTED = Counted()


def meter(counters: Counters, counted: Counted = NOT_COUNTED) -> ProgressMeter:
    return ProgressMeter(Gauge(counters, dict, counted), "r1", 0.0)


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


def test_the_number_of_samples_is_bounded() -> None:
    """A caller may ask for the progress after each file, and several callers ask at times of their own."""
    rate = SlidingRate(10)
    for tick in range(10_000):
        rate.add(tick * 0.005, tick)
    assert len(rate._samples) <= 110
    assert rate.per_second() == pytest.approx(200, rel=0.02)


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
    counters = Counters(**figures)
    assert percent(counters, totals(counters, NOT_COUNTED)) == share


def test_the_share_of_a_counted_tree_is_not_that_of_the_files_found() -> None:
    """The scanner waits for the upload, so most of what it found is done at any time."""
    counters = Counters(found=9_364, uploaded=8_234, bytes_found=9_364_000, bytes_settled=8_234_000)
    counted = Counted(files=50_991, bytes=50_991_000, complete=True)
    assert percent(counters, totals(counters, counted)) == 16


def test_nothing_is_known_while_files_are_counted() -> None:
    counters = Counters(found=100, uploaded=90, bytes_found=100, bytes_settled=90)
    for counted in (Counted(files=500, bytes=500, running=True), Counted(files=20, bytes=20, running=True)):
        so_far = totals(counters, counted)
        assert (so_far.files, so_far.bytes) == (max(100, counted.files), max(100, counted.bytes))
        assert (so_far.known, percent(counters, so_far), eta_seconds(counters, so_far, Speed(9.0, 1e6))) == (
            False,
            None,
            None,
        )


def test_files_that_an_earlier_run_settled_are_done_once_they_are_counted() -> None:
    counters = Counters(found=20, skipped=10, uploaded=5, bytes_found=200, bytes_settled=150, bytes_skipped=100)
    counted = Counted(files=100, bytes=1000, settled=80, bytes_settled=800, complete=True)
    assert totals(counters, counted) == (85, 100, 850, 1000, True)
    # The scanner has met all of them now: they are not counted twice.
    counters.found, counters.skipped, counters.bytes_found = 100, 80, 1000
    counters.bytes_skipped, counters.bytes_settled = 800, 850
    assert totals(counters, counted) == (85, 100, 850, 1000, True)


def test_skipped_files_of_unsupported_kinds_do_not_hide_settled_ones() -> None:
    counters = Counters(found=10, skipped=10, unsupported=10, bytes_found=10, bytes_settled=10)
    assert totals(counters, Counted(files=20, bytes=20, settled=5, bytes_settled=5)).files_done == 15


@pytest.mark.parametrize("complete", [False, True])
def test_the_figures_of_the_scan_replace_those_of_the_count(complete: bool) -> None:
    """Files may appear or vanish between both walks."""
    counters = Counters(found=3, uploaded=3, bytes_found=30, bytes_settled=30, scan_done=True)
    counted = Counted(files=7, bytes=70, settled=2, bytes_settled=20, complete=complete)
    so_far = totals(counters, counted)
    assert so_far == (3, 3, 30, 30, True)
    assert percent(counters, so_far) == 100


@given(
    st.builds(Counters, found=st.integers(0, 99), skipped=st.integers(0, 99), uploaded=st.integers(0, 99)),
    st.builds(Counted, files=st.integers(0, 99), settled=st.integers(0, 99), complete=st.booleans()),
)
def test_no_more_is_done_than_there_is(counters: Counters, counted: Counted) -> None:
    so_far = totals(counters, counted)
    assert 0 <= so_far.files_done <= so_far.files
    assert percent(counters, so_far) in {None, *range(100)}


def test_the_remaining_time_needs_a_total_and_a_rate() -> None:
    figures = Counters(found=2, uploaded=1, bytes_found=300, bytes_settled=100)
    speed, still = Speed(1.0, 10.0), Speed(0.0, 0.0)
    assert eta_seconds(figures, totals(figures, NOT_COUNTED), speed) is None
    figures.scan_done = True
    assert eta_seconds(figures, totals(figures, NOT_COUNTED), speed) == 20
    assert eta_seconds(figures, totals(figures, NOT_COUNTED), still) is None
    assert eta_seconds(figures, totals(figures, NOT_COUNTED), Speed(-1.0, -10.0)) is None
    figures.uploaded = 2
    assert eta_seconds(figures, totals(figures, NOT_COUNTED), still) == 0


@pytest.mark.parametrize(
    ("left", "speed", "seconds"),
    [
        ((1000, 10_240_000), Speed(100.0, 1_024_000.0), 10.0),  # small files, as those before
        ((6470, 876 * MIB), Speed(783.0, 20.0 * MIB), 43.8),  # a limited link: the bytes take longer
        ((1000, 0), Speed(100.0, 0.0), 10.0),  # empty files
        ((1, 2**30), Speed(0.0, 2.0**20), 1024.0),  # one large file, which has not ended yet
        ((100_000, 10**9), Speed(0.1, 10**8), 131.0),  # small files after large ones
    ],
)
def test_files_and_bytes_have_a_time_each_and_the_longer_one_counts(
    left: tuple[int, int], speed: Speed, seconds: float
) -> None:
    figures = Counters(found=left[0], bytes_found=left[1], scan_done=True)
    assert eta_seconds(figures, totals(figures, NOT_COUNTED), speed) == pytest.approx(seconds, rel=0.01)


def test_bytes_of_failed_attempts_count_for_the_rate_alone() -> None:
    """A run of failures makes no progress, so it has no end."""
    figures = Counters(found=2, bytes_found=200, scan_done=True)
    display = meter(figures)
    figures.bytes_sent, figures.retries = 1000, 10
    shown = display.sample(10.0)
    assert (shown.bytes_per_second, shown.percent, shown.eta, shown.retries) == (100.0, 0, None, 10)


def test_bytes_in_flight_count_until_their_attempt_fails() -> None:
    """A single large file changes the figures before it settles."""
    figures = Counters(found=1, bytes_found=100, bytes_moving=40, scan_done=True)
    assert meter(figures).sample(1.0).percent == 40
    figures.bytes_moving = 0
    assert meter(figures).sample(1.0).percent == 0


def test_there_is_no_remaining_time_in_the_first_second() -> None:
    figures = Counters(found=2, bytes_found=200, scan_done=True)
    display = meter(figures)
    figures.bytes_moving = 10
    assert display.sample(0.5).eta is None
    assert display.sample(1.0).eta is not None


def test_the_remaining_time_follows_the_last_minute() -> None:
    counters = Counters(found=1, bytes_found=10**12, scan_done=True)
    display = meter(counters)
    for second in range(1, 200):
        counters.bytes_moving += 10**9 if second < 100 else 0
        shown = display.sample(float(second))
        assert second < 100 or second > 158 or shown.eta is not None
    assert shown.eta is None


def test_a_snapshot_has_rates_means_and_the_files_being_sent() -> None:
    file = SendingFile("/data", b"a.mov", 100, 40, 1.0)
    counters = Counters(found=30, uploaded=10, skipped=5, failed=1, bytes_found=3000, bytes_sent=1000, concurrency=8)
    gauge = Gauge(counters, lambda: {"sending": 3}, Counted(running=True), lambda _now, _most: (file,))
    display = ProgressMeter(gauge, "r1", 100.0)
    counters.uploaded, counters.bytes_sent, counters.bytes_uploaded, counters.bytes_moving = 30, 5000, 2500, 500
    shown = display.sample(104.0)
    assert isinstance(shown, Progress)
    assert (shown.run, shown.elapsed, shown.counting, shown.concurrency) == ("r1", 4.0, True, 8)
    assert (shown.files_per_second, shown.mean_files_per_second) == (5.0, 30 / 4)
    assert (shown.bytes_per_second, shown.mean_bytes_per_second) == (1000.0, 750.0)
    assert (shown.sending, shown.depths) == ((file,), {"sending": 3})


def test_the_progress_at_the_beginning() -> None:
    shown = meter(Counters()).sample(0.0)
    assert (shown.elapsed, shown.mean_files_per_second, shown.bytes_per_second, shown.percent) == (0.0, 0.0, 0.0, None)


def test_a_paused_run_has_no_remaining_time_and_the_pause_does_not_count_for_it() -> None:
    """The speed after the pause is that of the files sent after it."""
    counters, state = Counters(found=1, bytes_found=10**12, scan_done=True), list[RunState](["running"])
    shown = ProgressMeter(Gauge(counters, dict, state=lambda: state[-1]), "r1", 0.0)
    for second in range(1, 10):
        counters.bytes_moving += 10**9
        assert shown.sample(float(second)).eta is not None or second == 1
    state.append("paused")
    for second in range(10, 50):
        paused = shown.sample(float(second))
        assert (paused.state, paused.eta) == ("paused", None)
    assert paused.bytes_per_second == 0
    state.append("running")
    assert shown.sample(49.0).eta is None
    counters.bytes_moving += 10**9
    after = shown.sample(50.0)
    assert after.eta == pytest.approx((10**12 - 10 * 10**9) / 10**9)
