"""The retry budget: when retries are delayed."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.pipeline.policy.retry_budget import RetryBudget, RetryBudgetOptions


def test_retries_beyond_the_budget_come_at_even_distances() -> None:
    """A hundred at once, then five per second."""
    budget = RetryBudget(RetryBudgetOptions())
    times = [budget.retry_at(0.0, 0.0) for _ in range(120)]
    assert times[:100] == [0.0] * 100
    distances = [later - earlier for earlier, later in itertools.pairwise(times[100:])]
    assert distances == pytest.approx([0.2] * 19)


@pytest.mark.parametrize(("share", "held_up"), [(0.3, False), (0.8, True)])
def test_only_a_high_share_of_failures_delays_retries(share: float, held_up: bool) -> None:
    budget, failed, late = RetryBudget(RetryBudgetOptions()), 0.0, False
    for _ in range(5000):
        failed += share
        if failed >= 1:
            failed -= 1
            late = late or budget.retry_at(0.0, 0.0) > 0.0
        else:
            budget.earn()
    assert late is held_up


@given(st.lists(st.tuples(st.floats(0, 10), st.booleans()), max_size=50), st.floats(0, 1e6))
def test_no_retry_begins_before_the_wanted_time(steps: list[tuple[float, bool]], wanted: float) -> None:
    """And after enough time the bucket is full again."""
    budget, now = RetryBudget(RetryBudgetOptions()), 0.0
    for seconds, answered in steps:
        now += seconds
        if answered:
            budget.earn()
        assert budget.retry_at(wanted, now) >= wanted
    assert budget.retry_at(0.0, now + 1000) == 0.0
