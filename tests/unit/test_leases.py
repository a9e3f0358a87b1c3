"""When tickets are requested, and for how many files."""

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
)


def size(**changes: Any) -> int:
    return group_size(replace(DEMAND, **changes))


def test_nothing_is_asked_for_nobody() -> None:
    """Without a file that needs a ticket there is no call."""
    assert size(no_more=True) == 0


def test_a_full_group_is_asked_for_at_once() -> None:
    """It waits for nothing, and takes no more than the batch."""
    assert size(fresh=10) == 10
    assert size(fresh=25) == 10


def test_a_group_that_is_not_full_waits_for_more() -> None:
    """As long as the scan goes on and its oldest file is young."""
    assert size(fresh=9, oldest_age=0.2) == 0


def test_a_lone_file_is_asked_for_when_it_is_old_enough() -> None:
    """It does not wait for a batch that may never come."""
    assert size(fresh=1, oldest_age=0.25) == 1


def test_a_lone_file_waits_on_while_all_workers_have_work() -> None:
    """Where tickets wait for workers, a call for one file would gain nothing."""
    assert size(fresh=1, oldest_age=9.0, unused=4) == 0
    assert size(fresh=1, oldest_age=9.0, unused=3) == 1


def test_the_end_of_the_scan_flushes_what_there_is() -> None:
    """Nothing more comes, so there is nothing to wait for."""
    assert size(fresh=3, no_more=True) == 3


def test_there_are_no_more_calls_than_allowed() -> None:
    """With all calls under way even a full group waits."""
    assert size(fresh=50, calls=2) == 0


def test_no_more_is_asked_than_will_be_used() -> None:
    """Tickets waiting and asked for leave room for a whole group, or there is no call."""
    assert size(fresh=50, unused=14) == 10
    assert size(fresh=50, unused=15) == 0
    assert size(fresh=50, unused=5, asked=10) == 0


def test_before_the_first_answer_one_group_is_asked_for() -> None:
    """Nothing is known of the leases yet, so the service is tried with one call."""
    assert size(fresh=50, answered=False) == 10
    assert size(fresh=50, answered=False, asked=10, calls=1) == 0


def test_a_short_lease_is_asked_for_in_small_groups() -> None:
    """With 10 s and 2 files a second, 10 tickets could be used up, and half of that is asked for."""
    assert size(fresh=50, batch_size=100, lease=10.0, rate=1.0) == 5
    assert size(fresh=50, batch_size=100, lease=10.0, rate=1.0, unused=1) == 0


def test_a_short_lease_with_an_unknown_rate_is_asked_for_by_the_workers() -> None:
    """Before anything is known of the rate, only as many tickets as can be begun at once."""
    assert size(fresh=50, lease=59.0) == 4
    assert size(fresh=50, lease=60.0) == 10


def test_one_ticket_may_always_be_asked_for() -> None:
    """A rate of nought, or a lease that is over as it comes, slows the run and does not end it."""
    assert size(fresh=50, lease=10.0, rate=0.0) == 1
    assert size(fresh=50, lease=-5.0, rate=10.0) == 1


@pytest.mark.parametrize("rate", [0.0, 1e-9, 5.0, 1e300])
def test_a_lease_without_end_is_no_limit(rate: float) -> None:
    """An absurdly late expiry is like none."""
    assert tickets_ahead(replace(DEMAND, lease=math.inf, rate=rate)) == tickets_ahead(DEMAND)


@given(demands)
def test_a_group_is_never_more_than_there_is_room_for(demand: Demand) -> None:
    """Neither more than there are files, nor than the batch, nor than what may be ahead."""
    asked = group_size(demand)
    assert 0 <= asked <= min(demand.fresh, demand.batch_size)
    if asked:
        assert demand.unused + demand.asked + asked <= tickets_ahead(demand)
        assert demand.calls < demand.calls_in_flight


@given(demands)
def test_an_idle_run_always_asks(demand: Demand) -> None:
    """With no ticket left and no call under way, old files are asked for: nothing waits for ever."""
    idle = replace(demand, unused=0, asked=0, calls=0, oldest_age=1.0)
    assert bool(group_size(idle)) == bool(idle.fresh)


def test_a_ticket_is_not_begun_within_the_margin() -> None:
    """A long lease ends by the margin early, a short one by a quarter, one without end never."""
    assert good_for(1000.0, 100.0, 15.0) == 885.0
    assert good_for(20.0, 0.0, 15.0) == 15.0
    assert good_for(None, 0.0, 15.0) is None
    assert good_for(math.inf, 0.0, 15.0) == math.inf


@given(st.floats(-1e6, 1e9), st.floats(0, 1e9), st.floats(0, 100))
def test_the_margin_never_turns_a_good_ticket_into_a_bad_one(expires: float, now: float, margin: float) -> None:
    """What is good now is good to begin now, and nothing is begun after its end."""
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
    """What the workers begin with counts for nothing: those tickets are used at once."""
    assert first_group_size(sizes, workers) == first


def test_the_first_group_is_what_it_is_to_be_and_the_second_is_not() -> None:
    """Once the service has answered, leases and rate decide."""
    assert size(fresh=50, answered=False, first_group=7) == 7
    assert size(fresh=6, answered=False, first_group=7) == 0
    assert size(fresh=6, answered=False, first_group=7, no_more=True) == 6
    assert size(fresh=50, answered=True, first_group=7) == 10
