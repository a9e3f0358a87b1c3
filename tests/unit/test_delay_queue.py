"""The heap of things that may not be touched before a time."""

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


def test_nothing_is_handed_out_before_its_time() -> None:
    """What is due at 5 is not due at 4.9, and is at 5."""
    delayed = kept(("a", 5.0))
    assert delayed.pop_due(4.9) == []
    assert delayed.pop_due(5.0) == ["a"]
    assert delayed.pop_due(5.0) == []


def test_what_was_due_earlier_comes_first_and_equals_in_their_order() -> None:
    """Values need not be comparable, and those of one time come as they went in."""
    delayed: DelayQueue[object] = DelayQueue()
    values = [object(), object(), object()]
    for value, not_before in zip(values, (2.0, 1.0, 2.0), strict=True):
        delayed.push(value, not_before)
    assert delayed.pop_due(9.0) == [values[1], values[0], values[2]]


def test_no_more_are_handed_out_than_asked_for() -> None:
    """The rest stays, none at all for nought."""
    delayed = kept(("a", 1.0), ("b", 2.0), ("c", 3.0))
    assert delayed.pop_due(9.0, limit=0) == []
    assert delayed.pop_due(9.0, limit=2) == ["a", "b"]
    assert delayed.pop_due(9.0, limit=2) == ["c"]


def test_the_next_time_is_the_earliest() -> None:
    """It says how long to sleep, and nothing where nothing is kept."""
    assert kept().next_due() is None
    assert kept(("a", 7.0), ("b", 3.0)).next_due() == 3.0


def test_draining_takes_out_everything() -> None:
    """Due or not."""
    delayed = kept(("a", 1.0), ("b", 1e9))
    assert sorted(delayed.drain()) == ["a", "b"]
    assert len(delayed) == 0
    assert delayed.next_due() is None


def test_looking_at_what_is_kept_takes_nothing_out() -> None:
    """A display may count what waits."""
    delayed = kept(("a", 1.0), ("b", 2.0))
    assert sorted(delayed) == ["a", "b"]
    assert len(delayed) == 2


@given(st.lists(times), times)
def test_what_is_due_and_what_stays_is_all_there_was(not_before: list[float], now: float) -> None:
    """Nothing is lost or doubled, and the time divides."""
    delayed: DelayQueue[float] = DelayQueue()
    for time in not_before:
        delayed.push(time, time)
    due = delayed.pop_due(now)
    assert due == sorted(time for time in not_before if time <= now)
    assert sorted(delayed.drain()) == sorted(time for time in not_before if time > now)
