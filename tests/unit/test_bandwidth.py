"""The token bucket of the bandwidth limit, on a simulated clock."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkup.pipeline.policy.bandwidth import (
    BandwidthOptions,
    TokenBucket,
    most_workers,
    piece_size,
    whole_size,
)

OPTIONS = BandwidthOptions()
RATES = st.sampled_from((1024.0, 10_240.0, 1e6, 20 * 1024.0**2, 1e9))


def sent(rate: float, sizes: list[int], late: list[float], seconds: float) -> list[tuple[float, int]]:
    """Send pieces of these sizes again and again, each as soon as it may; return the times.

    The program wakes a little `late`, as it does on a busy machine.
    """
    bucket, now, pieces, turns = TokenBucket(rate, 0.0, OPTIONS), 0.0, list[tuple[float, int]](), 0
    while now < seconds:
        size = sizes[turns % len(sizes)]
        while not bucket.take(size, now):
            now += bucket.seconds_until(size) + 1e-4 + late[turns % len(late)]
        pieces.append((now, size))
        turns += 1
    return pieces


def within(pieces: list[tuple[float, int]], begin: float, seconds: float) -> int:
    return sum(size for at, size in pieces if begin <= at < begin + seconds)


def sizes_at(rate: float) -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(1, max(1, whole_size(rate, OPTIONS))), min_size=1, max_size=5)


@pytest.mark.unmeasured
@settings(max_examples=30)
@given(RATES.flatmap(lambda rate: st.tuples(st.just(rate), sizes_at(rate))), st.lists(st.floats(0, 0.03), min_size=1))
def test_the_limit_holds_over_ten_seconds_and_in_any_one(given_: tuple[float, list[int]], late: list[float]) -> None:
    """Over ten seconds the limit is used and held; in no second is 1.2 times of it sent."""
    rate, sizes = given_
    if sum(sizes) < len(sizes) * rate * OPTIONS.piece / 4:  # so many pieces that they only slow the test down
        sizes = [piece_size(rate, OPTIONS)]
    pieces = sent(rate, sizes, late, 12.0)
    assert within(pieces, 1.0, 10.0) == pytest.approx(10 * rate, rel=0.03, abs=2 * max(sizes))
    begins = [at for at, _ in pieces if at < 11.0]
    for begin in begins[:: max(1, len(begins) // 50)]:
        assert within(pieces, begin, 1.0) <= 1.2 * rate + 1


@pytest.mark.parametrize("rate", [1024.0, 10_240.0, 1e6, 1e9])
def test_pieces_fit_into_the_bucket(rate: float) -> None:
    """A hundredth of a second is enough for a piece, and a file that is taken whole is below the burst."""
    assert 1 <= piece_size(rate, OPTIONS) <= min(OPTIONS.largest_piece, max(1, rate * 0.02))
    assert whole_size(rate, OPTIONS) < rate * OPTIONS.burst


def test_an_idle_bucket_holds_one_burst() -> None:
    bucket = TokenBucket(1000.0, 0.0, OPTIONS)
    assert not bucket.take(1, 0.0)
    assert bucket.take(100, 60.0)
    assert not bucket.take(1, 60.0)


def test_a_piece_larger_than_the_bucket_is_sent_and_owed() -> None:
    """It was taken out of a larger bucket, before the limit was lowered."""
    bucket = TokenBucket(1000.0, 0.0, OPTIONS)
    assert not bucket.take(5000, 0.05)
    assert bucket.seconds_until(5000) == pytest.approx(0.05)
    assert bucket.take(5000, 0.1)
    assert not bucket.take(1, 4.9)
    assert bucket.take(1, 5.01)


def test_a_clock_that_stands_still_gives_nothing() -> None:
    bucket = TokenBucket(1000.0, 10.0, OPTIONS)
    assert not bucket.take(1, 9.0)
    assert not bucket.take(1, 10.0)
    assert bucket.take(1, 10.01)


@pytest.mark.parametrize(
    ("rate", "workers"), [(None, None), (20 * 1024**2, 2560), (100 * 1024, 12), (8192, 1), (1024, 1)]
)
def test_the_workers_of_a_low_limit(rate: float | None, workers: int | None) -> None:
    """Each file under way gets 8 KiB per second, so that its connection is not idle for long."""
    assert most_workers(rate, OPTIONS) == workers
