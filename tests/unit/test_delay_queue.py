"""The queue of values that become due at a time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bulkup.helpers.delay_queue import DelayQueue

times = st.floats(allow_nan=False)


def kept(*pairs: tuple[str, float]) -> DelayQueue[str]:
    delayed: DelayQueue[str] = DelayQueue()
    for value, not_before in pairs:
        delayed.push(value, not_before)
    return delayed


def test_no_value_is_returned_before_it_is_due() -> None:
    """A value due at 5 is not due at 4.9, and is due at 5."""
    delayed = kept(("a", 5.0))
    assert delayed.pop_due(4.9) == []
    assert delayed.pop_due(5.0) == ["a"]
    assert delayed.pop_due(5.0) == []


def test_values_are_returned_in_the_order_of_their_times() -> None:
    """Values need not be comparable, and those of one time keep their order."""
    delayed: DelayQueue[object] = DelayQueue()
    values = [object(), object(), object()]
    for value, not_before in zip(values, (2.0, 1.0, 2.0), strict=True):
        delayed.push(value, not_before)
    assert delayed.pop_due(9.0) == [values[1], values[0], values[2]]


def test_the_limit_is_respected() -> None:
    """The other values stay. A limit of 0 returns none."""
    delayed = kept(("a", 1.0), ("b", 2.0), ("c", 3.0))
    assert delayed.pop_due(9.0, limit=0) == []
    assert delayed.pop_due(9.0, limit=2) == ["a", "b"]
    assert delayed.pop_due(9.0, limit=2) == ["c"]


def test_the_next_time_is_the_earliest_one() -> None:
    """It is None for an empty queue."""
    assert kept().next_due() is None
    assert kept(("a", 7.0), ("b", 3.0)).next_due() == 3.0


def test_draining_removes_all_values() -> None:
    """Due or not."""
    delayed = kept(("a", 1.0), ("b", 1e9))
    assert sorted(delayed.drain()) == ["a", "b"]
    assert len(delayed) == 0
    assert delayed.next_due() is None


def test_iterating_removes_nothing() -> None:
    """A display counts the waiting values."""
    delayed = kept(("a", 1.0), ("b", 2.0))
    assert sorted(delayed) == ["a", "b"]
    assert len(delayed) == 2


@given(st.lists(times), times)
def test_no_value_is_lost_or_returned_twice(not_before: list[float], now: float) -> None:
    """The time separates due values from the others."""
    delayed: DelayQueue[float] = DelayQueue()
    for time in not_before:
        delayed.push(time, time)
    due = delayed.pop_due(now)
    assert due == sorted(time for time in not_before if time <= now)
    assert sorted(delayed.drain()) == sorted(time for time in not_before if time > now)
