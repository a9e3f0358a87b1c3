"""A run of any length keeps a bounded number of samples, spread over all of it."""

from __future__ import annotations

import itertools

import pytest

from bulkup.api.run_sampler import next_time
from bulkup.api.sample_ring import RingOptions, SampleRing
from bulkup.model.run_record import RunSample


def sample(at: float) -> RunSample:
    return RunSample(at, int(at * 10), 0, 0, 0, 4, ())


@pytest.mark.parametrize("hours", [0.01, 1, 100])
def test_the_number_of_samples_is_bounded_and_they_cover_the_whole_run(hours: float) -> None:
    ring, at = SampleRing(RingOptions(most=40, first_interval=1.0)), 0.0
    while at <= hours * 3600:
        ring.add(sample(at))
        at = next_time(at, ring.interval)
    kept = ring.with_last(sample(hours * 3600 + 0.1))
    assert 20 <= len(kept) <= 41 or hours < 0.01
    assert (kept[0].at, kept[-1].at) == (0.0, hours * 3600 + 0.1)
    gaps = {after.at - before.at for before, after in itertools.pairwise(kept[:-1])}
    assert gaps == {ring.interval}


def test_a_full_ring_keeps_every_second_sample() -> None:
    ring = SampleRing(RingOptions(most=4, first_interval=1.0))
    for at in (0.0, 1.0, 2.0, 3.0):
        ring.add(sample(at))
    assert [one.at for one in ring.with_last(sample(3.5))] == [0.0, 2.0, 3.5]
    assert ring.interval == 2.0


def test_the_last_sample_replaces_one_of_the_same_time() -> None:
    ring = SampleRing()
    ring.add(sample(0.0))
    ring.add(sample(1.0))
    assert [one.at for one in ring.with_last(sample(1.0))] == [0.0, 1.0]


@pytest.mark.parametrize(
    ("at", "due"), [(0.0, 0.25), (0.2499, 0.5), (0.26, 0.5), (0.45, 0.5), (1.4999999, 1.75), (60.0, 60.25)]
)
def test_the_next_sample_is_some_time_away(at: float, due: float) -> None:
    """A sleep that ends a little early does not make a series of samples at one moment."""
    assert next_time(at, 0.25) == due
