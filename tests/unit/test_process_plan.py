"""When a run starts sending processes, and how many."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.pipeline.tuning.process_plan import ProcessPlan, ProcessPlanOptions, Window

OPTIONS = ProcessPlanOptions()
MOST, WORTH = OPTIONS.most, OPTIONS.worth
SHORT = Window(lasted=10.0, work=100.0, left=1000.0, all_found=True, cores=1.0, idle=3.0, waiting=True)


def wanted_after(plan: ProcessPlan, number: int, **changes: Any) -> int:
    """Pass `number` windows like `SHORT` with `changes`; return the number of processes wanted then."""
    return [plan.take(dataclasses.replace(SHORT, **changes)) for _ in range(number)][-1]


@pytest.mark.parametrize(
    "changes", [{"cores": 0.8}, {"idle": 0.3}, {"waiting": False}], ids=["not busy", "no idle core", "nothing waits"]
)
def test_none_is_started_unless_this_process_needs_more_than_a_core(changes: dict[str, Any]) -> None:
    assert wanted_after(ProcessPlan(8, OPTIONS), 100, **changes) == 0


def test_none_is_started_with_one_core() -> None:
    assert wanted_after(ProcessPlan(1, OPTIONS), 100) == 0


def test_two_cores_count() -> None:
    """Also with a store on the same machine, which leaves half a core idle."""
    assert wanted_after(ProcessPlan(2, OPTIONS), 2, idle=0.5) == 1


def test_two_windows_in_a_row_have_to_be_short_of_cores() -> None:
    plan = ProcessPlan(8, OPTIONS)
    assert wanted_after(plan, 1) == 0
    assert wanted_after(plan, 1, waiting=False) == 0
    assert wanted_after(plan, 1) == 0
    assert wanted_after(plan, 1) == 3


@pytest.mark.parametrize(("cores", "idle", "wanted"), [(2, 1.0, 1), (4, 3.0, 3), (64, 60.0, MOST), (8, 0.6, 1)])
def test_one_is_started_for_each_idle_core(cores: int, idle: float, wanted: int) -> None:
    """At most one fewer than cores, because the run's own process needs one."""
    assert wanted_after(ProcessPlan(cores, OPTIONS), 2, idle=idle) == wanted


@pytest.mark.parametrize(("left", "wanted"), [(100 * WORTH - 1, 0), (100 * WORTH, 3)], ids=["less", "enough"])
def test_the_files_found_are_enough_work_for_some_seconds(left: float, wanted: int) -> None:
    assert wanted_after(ProcessPlan(8, OPTIONS), 100, left=left) == wanted


@pytest.mark.parametrize(("lasted", "wanted"), [(2 * WORTH - 0.1, 0), (2 * WORTH, 3)], ids=["short", "long"])
def test_a_run_that_still_finds_files_is_expected_to_last_half_as_long_again(lasted: float, wanted: int) -> None:
    """So a run of a few seconds starts none."""
    assert wanted_after(ProcessPlan(8, OPTIONS), 100, lasted=lasted, left=1.0, all_found=False) == wanted


def test_the_backlog_of_a_run_without_goodput_is_unknown() -> None:
    assert wanted_after(ProcessPlan(8, OPTIONS), 100, work=0.0) == 0


def test_processes_that_were_started_stay() -> None:
    plan = ProcessPlan(8, OPTIONS)
    assert wanted_after(plan, 2) == 3
    assert wanted_after(plan, 100, cores=0.1, idle=0.0, waiting=False, left=0.0) == 3


@given(
    st.integers(1, 128),
    st.lists(st.builds(Window, *[st.floats(0, 1e3)] * 3, st.booleans(), *[st.floats(0, 1e3)] * 2, st.booleans())),
)
def test_the_number_of_processes_stays_within_its_bounds(cores: int, seen: list[Window]) -> None:
    plan, before = ProcessPlan(cores, OPTIONS), 0
    for window in seen:
        wanted = plan.take(window)
        assert 0 <= wanted <= max(0, min(MOST, cores - 1))
        assert before in (0, wanted)
        before = wanted
