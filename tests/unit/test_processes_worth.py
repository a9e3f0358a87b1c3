"""When sending processes are tried, kept and withdrawn; and what the system's files say of its cores."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.pipeline.tuning.cores import Ticks, granted_by, ticks_of
from bulkup.pipeline.tuning.process_trial import MOST, ProcessTrial, Window

BUSY = Window(work=100.0, cores=1.0, idle=3.0, waiting=True, ready=0)
LONG = 2400  # windows until they are tried again


def wanted_after(worth: ProcessTrial, number: int, **changes: Any) -> int:
    """Let so many windows like `BUSY` pass, but for `changes`; return how many processes are wanted then."""
    return [worth.take(dataclasses.replace(BUSY, **changes)) for _ in range(number)][-1]


def tried(cores: int = 8) -> ProcessTrial:
    """Return where three processes have just become ready."""
    worth = ProcessTrial(cores)
    assert wanted_after(worth, 2) == 3
    wanted_after(worth, 1, ready=3)
    return worth


@pytest.mark.parametrize(
    "changes", [{"cores": 0.8}, {"idle": 0.4}, {"waiting": False}], ids=["not busy", "no idle core", "nothing waits"]
)
def test_nothing_is_tried_where_one_core_is_not_what_is_short(changes: dict[str, Any]) -> None:
    assert wanted_after(ProcessTrial(8), 100, **changes) == 0


def test_nothing_is_tried_with_one_core() -> None:
    assert wanted_after(ProcessTrial(1), 100) == 0


def test_it_takes_some_windows_in_a_row() -> None:
    worth = ProcessTrial(8)
    assert wanted_after(worth, 1) == 0
    assert wanted_after(worth, 1, waiting=False) == 0
    assert wanted_after(worth, 1) == 0
    assert wanted_after(worth, 1) == 3


@pytest.mark.parametrize(("cores", "idle", "wanted"), [(2, 1.0, 1), (4, 3.0, 3), (64, 60.0, MOST), (8, 0.6, 1)])
def test_as_many_as_cores_are_idle(cores: int, idle: float, wanted: int) -> None:
    """Never as many as there are cores, for the process that decides needs one."""
    assert wanted_after(ProcessTrial(cores), 2, idle=idle) == wanted


def test_what_brings_a_tenth_more_is_kept_to_the_end() -> None:
    worth = tried()
    assert wanted_after(worth, 8, work=110.1, ready=3) == 3
    assert worth.kept
    assert wanted_after(worth, 2 * LONG, work=0.0, waiting=False, ready=3) == 3


def test_what_brings_less_is_withdrawn_and_not_tried_again_for_long() -> None:
    worth = tried()
    assert wanted_after(worth, 7, work=109.0, ready=3) == 3
    assert wanted_after(worth, 1, work=109.0, ready=3) == 0
    assert wanted_after(worth, LONG) == 0
    assert wanted_after(worth, 1) == 0
    assert wanted_after(worth, 1) == 3


def test_what_comes_while_they_begin_does_not_count() -> None:
    """Connections are made and caches filled at first."""
    worth = tried()
    wanted_after(worth, 4, work=1000.0, ready=3)
    assert wanted_after(worth, 4, work=109.0, ready=3) == 0


@pytest.mark.parametrize(("work", "wanted"), [(109.0, 0), (111.0, 3)], ids=["less", "a tenth more"])
def test_it_is_measured_by_what_came_until_they_were_ready(work: float, wanted: int) -> None:
    """A run gets faster in its first second by itself; what the first of several processes bring counts for neither."""
    worth = ProcessTrial(8)
    wanted_after(worth, 2, work=50.0)
    wanted_after(worth, 4, work=100.0)
    wanted_after(worth, 4, work=200.0, ready=2)
    wanted_after(worth, 5, work=work, ready=3)
    assert wanted_after(worth, 4, work=work, ready=3) == wanted


def test_one_odd_window_does_not_decide() -> None:
    worth = tried()
    wanted_after(worth, 6, work=150.0, ready=3)
    wanted_after(worth, 1, work=0.0, ready=3)
    assert wanted_after(worth, 1, work=150.0, ready=3) == 3
    assert worth.kept


def test_processes_that_do_not_become_ready_are_withdrawn() -> None:
    worth = ProcessTrial(8)
    wanted_after(worth, 2)
    assert wanted_after(worth, 240, ready=2) == 3
    assert wanted_after(worth, 1, ready=2) == 0


@given(st.integers(1, 128), st.lists(st.builds(Window, *[st.floats(0, 1e3)] * 3, st.booleans(), st.integers(0, 9))))
def test_there_are_never_more_than_may_be(cores: int, seen: list[Window]) -> None:
    worth = ProcessTrial(cores)
    assert all(0 <= worth.take(window) <= max(0, min(MOST, cores - 1)) for window in seen)


STAT = """cpu  100 0 100 800 0 0 0 0 0 0
cpu0 10 0 10 30 10 1 2 3 50 50
cpu1 1 1 1 1 1 1 1 1
cpu10 5 0 0 5 0 0 0 0 0 0
intr 1 2 3
"""


def test_ticks_of_cores() -> None:
    """Waiting for a disk is idle, what guests use is counted once, and only the cores asked for count."""
    assert ticks_of(STAT, {0}) == Ticks(40, 66)
    assert ticks_of(STAT, {1, 10}) == Ticks(7, 18)
    assert ticks_of(STAT, {7}) is None
    assert ticks_of("", {0}) is None


@pytest.mark.parametrize(
    ("text", "cores"),
    [("max 100000\n", None), ("150000 100000\n", 1.5), ("50000 100000", 0.5), ("", None), ("1 0", None), ("x y", None)],
)
def test_what_a_group_is_granted(text: str, cores: float | None) -> None:
    assert granted_by(text) == cores
