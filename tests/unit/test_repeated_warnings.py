"""The limit on warnings that many files repeat."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bulkup.pipeline.policy.repeated_warnings import RepeatedWarnings, WarningKind


def test_the_first_three_of_a_kind_are_logged() -> None:
    """Of 5,000 files, with their names. The reasons differ in the names of the files."""
    warnings = RepeatedWarnings()
    admitted = [
        number
        for number in range(5000)
        if warnings.admits("e", f'"file {number}.txt" has no place', status="rejected", name=f"file {number}.txt")
    ]
    assert admitted == [0, 1, 2]
    (count,) = warnings.left_out()
    assert count.kind == WarningKind("e", "… has no place", "rejected")
    assert (count.number, count.first) == (5000, ["file 0.txt", "file 1.txt", "file 2.txt"])


def test_each_event_reason_and_status_has_its_own_first_three() -> None:
    warnings = RepeatedWarnings(most=1)
    kinds = [("e", "a", ""), ("f", "a", ""), ("e", "b", ""), ("e", "a", "rejected")]
    for number in range(2):
        for event, reason, status in kinds:
            assert warnings.admits(event, reason, status=status) is (number == 0)
    assert {count.kind for count in warnings.left_out()} == {WarningKind(*kind) for kind in kinds}


def test_nothing_is_left_out_of_three() -> None:
    warnings = RepeatedWarnings()
    assert all(warnings.admits("e", "a") for _ in range(3))
    assert list(warnings.left_out()) == []


def test_the_most_frequent_kind_comes_first() -> None:
    warnings = RepeatedWarnings(most=1)
    for _ in range(3):
        warnings.admits("e", "seldom")
        warnings.admits("e", "often")
        warnings.admits("e", "often")
    assert [(count.kind.reason, count.number) for count in warnings.left_out()] == [("often", 6), ("seldom", 3)]


def test_a_second_outage_is_logged_again() -> None:
    """Ten minutes after the first warning that was logged."""
    warnings = RepeatedWarnings(most=2, period=600.0)
    times = [0.0, 1.0, 2.0, 599.0, 600.0, 601.0, 602.0, 5000.0]
    assert [warnings.admits("e", "down", now=time) for time in times] == [
        *(True, True, False, False),
        *(True, True, False, True),
    ]


@given(st.lists(st.tuples(st.text("abc", min_size=4), st.floats(0, 1e4)), max_size=200))
def test_memory_and_lines_are_bounded(reasons: list[tuple[str, float]]) -> None:
    """Whatever the reasons are; nothing is lost from the counts."""
    warnings = RepeatedWarnings(most=2, kinds=5, period=1e9)
    logged = sum(warnings.admits("e", reason, name="n" * 600, now=now) for reason, now in reasons)
    assert logged <= 2 * 6
    left_out = list(warnings.left_out())
    assert sum(count.number - count.logged for count in left_out) == len(reasons) - logged
    assert all(len(name) <= 500 for count in left_out for name in count.first)
