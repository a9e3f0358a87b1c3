"""Leases: when tickets are requested, and for how many files."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.pipeline.presign.leases import Demand, first_group_size, good_for, group_size, tickets_ahead

DEMAND = Demand(
    fresh=0,
    first_group=None,
    oldest_age=0.0,
    no_more=False,
    unused=0,
    asked=0,
    calls=0,
    workers=4,
    batch_size=10,
    calls_in_flight=2,
    group_age=0.25,
    answered=True,
    lease=None,
    rate=None,
    proven=True,
)
demands = st.builds(
    Demand,
    fresh=st.integers(0, 500),
    first_group=st.none() | st.integers(1, 100),
    oldest_age=st.floats(0, 100),
    no_more=st.booleans(),
    unused=st.integers(0, 500),
    asked=st.integers(0, 500),
    calls=st.integers(0, 5),
    workers=st.integers(1, 64),
    batch_size=st.integers(1, 100),
    calls_in_flight=st.integers(1, 4),
    group_age=st.just(0.25),
    answered=st.booleans(),
    lease=st.none() | st.floats(-1e9, math.inf),
    rate=st.none() | st.floats(0, 1e6),
    proven=st.booleans(),
)


def size(**changes: Any) -> int:
    return group_size(replace(DEMAND, **changes))


def test_without_files_there_is_no_call() -> None:
    assert size(no_more=True) == 0


def test_until_storage_has_taken_a_file_a_single_group_is_ahead() -> None:
    """All tickets may be useless. With more workers than a group has files, each gets one, and a few are ahead."""
    assert size(fresh=50, proven=False) == 10
    assert size(fresh=50, proven=False, unused=1) == size(fresh=50, proven=False, asked=10, calls=1) == 0
    assert size(fresh=50, proven=False, unused=10, workers=20) == 10
    assert size(fresh=3, proven=False, no_more=True, unused=7) == 3


def test_a_full_group_is_asked_for_at_once() -> None:
    """A group has at most `batch_size` files."""
    assert size(fresh=10) == 10
    assert size(fresh=25) == 10


def test_a_group_that_is_not_full_waits_for_more_files() -> None:
    """It waits while the scan continues and its oldest file is younger than `group_age`."""
    assert size(fresh=9, oldest_age=0.2) == 0


def test_a_single_file_is_asked_for_when_it_is_old_enough() -> None:
    """The other files of its group may never come."""
    assert size(fresh=1, oldest_age=0.25) == 1


def test_a_single_file_waits_while_all_workers_have_work() -> None:
    """While tickets wait for workers, a call for one file gains nothing."""
    assert size(fresh=1, oldest_age=9.0, unused=4) == 0
    assert size(fresh=1, oldest_age=9.0, unused=3) == 1


def test_the_last_files_are_asked_for_at_the_end_of_the_scan() -> None:
    """No other file will come for their group."""
    assert size(fresh=3, no_more=True) == 3


def test_there_are_no_more_calls_than_allowed() -> None:
    """While `calls_in_flight` calls are under way even a full group waits."""
    assert size(fresh=50, calls=2) == 0


def test_a_call_needs_room_for_its_whole_group() -> None:
    """Unused and requested tickets count against the number that is allowed ahead."""
    assert size(fresh=50, unused=14) == 10
    assert size(fresh=50, unused=15) == 0
    assert size(fresh=50, unused=5, asked=10) == 0


def test_a_ticket_that_decides_about_unused_ones_is_asked_for_alone() -> None:
    """They wait for it, so they must not take its room."""
    assert size(fresh=3, unused=500, decides=True) == 1
    assert size(fresh=3, unused=500, decides=True, calls=2) == 0


def test_before_the_first_answer_one_group_is_asked_for() -> None:
    """The length of the leases is not known before it."""
    assert size(fresh=50, answered=False) == 10
    assert size(fresh=50, answered=False, asked=10, calls=1) == 0


def test_a_short_lease_is_asked_for_in_small_groups() -> None:
    """Half of the files that can begin within a lease: at 2 files/s and 10 s, 10 tickets."""
    assert size(fresh=50, batch_size=100, lease=10.0, rate=1.0) == 5
    assert size(fresh=50, batch_size=100, lease=10.0, rate=1.0, unused=1) == 0


def test_a_short_lease_with_an_unknown_rate_gives_each_worker_one_ticket() -> None:
    """Each worker can begin one file at once, at any rate."""
    assert size(fresh=50, lease=59.0) == 4
    assert size(fresh=50, lease=60.0) == 10


def test_one_ticket_can_always_be_requested() -> None:
    """A rate of 0, or a lease that ends at once, slows the run but does not block it."""
    assert size(fresh=50, lease=10.0, rate=0.0) == 1
    assert size(fresh=50, lease=-5.0, rate=10.0) == 1


@pytest.mark.parametrize("rate", [0.0, 1e-9, 5.0, 1e300])
def test_a_lease_that_ends_very_late_is_no_limit(rate: float) -> None:
    """It counts like a lease without an end."""
    assert tickets_ahead(replace(DEMAND, lease=math.inf, rate=rate)) == tickets_ahead(DEMAND)


@given(demands)
def test_a_group_is_never_more_than_there_is_room_for(demand: Demand) -> None:
    """It is bounded by the files, by the batch size and by the tickets that are allowed ahead."""
    asked = group_size(demand)
    assert 0 <= asked <= min(demand.fresh, demand.batch_size)
    if asked:
        assert demand.unused + demand.asked + asked <= tickets_ahead(demand)
        assert demand.calls < demand.calls_in_flight


@given(demands)
def test_an_idle_run_always_makes_a_call(demand: Demand) -> None:
    """With no ticket left and no call under way, no file waits for ever."""
    idle = replace(demand, unused=0, asked=0, calls=0, oldest_age=1.0)
    assert bool(group_size(idle)) == bool(idle.fresh)


def test_a_ticket_is_not_begun_within_the_margin() -> None:
    """The margin is taken off a long lease, a quarter off a short one."""
    assert good_for(1000.0, 100.0, 15.0) == 885.0
    assert good_for(20.0, 0.0, 15.0) == 15.0
    assert good_for(None, 0.0, 15.0) is None
    assert good_for(math.inf, 0.0, 15.0) == math.inf


@given(st.floats(-1e6, 1e9), st.floats(0, 1e9), st.floats(0, 100))
def test_the_margin_never_turns_a_good_ticket_into_a_bad_one(expires: float, now: float, margin: float) -> None:
    """A valid ticket can be used now, and no ticket is used after its end."""
    left = good_for(expires, now, margin)
    assert left is not None
    assert left <= expires - now
    assert expires <= now or left >= 0


@pytest.mark.parametrize(
    ("sizes", "workers", "first"),
    [
        ([10_000] * 100, 32, None),
        ([65_536] * 100, 32, None),
        ([0] * 1000, 1, None),
        ([10**9] * 100, 32, 32),
        ([640_000] * 100, 32, 40),
        ([131_072] * 100, 4, 44),
        ([10**9] * 32 + [1] * 68, 32, None),
        ([10**9] * 5, 32, None),
    ],
)
def test_the_first_group_is_full_unless_files_are_large(sizes: list[int], workers: int, first: int | None) -> None:
    """The first file of each worker does not count, because its ticket is used at once."""
    assert first_group_size(sizes, workers) == first


def test_only_the_first_group_has_a_size_of_its_own() -> None:
    """After the first answer, leases and rate decide."""
    assert size(fresh=50, answered=False, first_group=7) == 7
    assert size(fresh=6, answered=False, first_group=7) == 0
    assert size(fresh=6, answered=False, first_group=7, no_more=True) == 6
    assert size(fresh=50, answered=True, first_group=7) == 10
