"""Paths that changed, until nothing has changed them for a while."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bulkup.api.watch.pending_paths import PendingPaths

A, B, C = (0, b"a.mp4"), (0, b"b.mp4"), (1, b"c.mp4")


def test_a_path_settles_when_nothing_has_changed_it_for_a_while() -> None:
    """Each change begins the time anew, as of a file that is copied slowly."""
    pending = PendingPaths(5.0, 10)
    pending.change(A, 0.0)
    pending.change(B, 1.0)
    pending.change(A, 3.0)
    assert pending.next_settled() == 6.0
    assert pending.take_settled(5.9) == []
    assert pending.take_settled(6.0) == [B]
    assert pending.next_settled() == 8.0
    assert pending.take_settled(100.0) == [A]
    assert (pending.next_settled(), len(pending)) == (None, 0)


def test_a_deleted_path_is_forgotten() -> None:
    pending = PendingPaths(5.0, 10)
    pending.change(A, 0.0)
    pending.forget(A)
    pending.forget(B)
    assert pending.take_settled(100.0) == []


def test_paths_of_a_run_that_broke_off_settle_anew() -> None:
    pending = PendingPaths(5.0, 10)
    pending.put_back([C, A], 10.0)
    assert pending.take_settled(14.0) == []
    assert pending.take_settled(15.0) == [A, C]


def test_more_paths_than_are_kept_mean_a_look_at_everything() -> None:
    pending = PendingPaths(5.0, 2)
    for place in (A, B, A):
        pending.change(place, 0.0)
    assert not pending.overflowed
    pending.change(C, 0.0)
    assert (pending.overflowed, len(pending)) == (True, 0)


def test_only_some_paths_are_taken_at_a_time() -> None:
    pending = PendingPaths(5.0, 10)
    for place in (B, A, C):
        pending.change(place, 0.0)
    assert pending.take_settled(5.0, 2) == [A, B]
    assert C in pending


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 5)), max_size=60))
def test_the_number_of_paths_is_bounded_and_none_settles_early(changes: list[tuple[int, int]]) -> None:
    pending, now, latest = PendingPaths(3.0, 5), 0.0, dict[int, float]()
    for name, passed in changes:
        now += passed
        latest[name] = now
        pending.change((0, b"%d" % name), now)
        assert len(pending) <= 5
        for _, path in pending.take_settled(now):
            assert latest[int(path)] <= now - 3.0
