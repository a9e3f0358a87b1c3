"""When sending processes are tried, kept and withdrawn."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.pipeline.tuning.process_trial import ProcessTrial, ProcessTrialOptions, Window

BUSY = Window(work=100.0, cores=1.0, idle=3.0, waiting=True, ready=0)
OPTIONS = ProcessTrialOptions()
MOST, LONG = OPTIONS.most, OPTIONS.pause_windows


def make(cores: int = 8) -> ProcessTrial:
    return ProcessTrial(cores, OPTIONS)


def wanted_after(trial: ProcessTrial, number: int, **changes: Any) -> int:
    """Pass `number` windows like `BUSY` with `changes`; return the number of processes wanted then."""
    return [trial.take(dataclasses.replace(BUSY, **changes)) for _ in range(number)][-1]


def tried(cores: int = 8) -> ProcessTrial:
    """Return a trial in which three processes have just become ready."""
    trial = make(cores)
    assert wanted_after(trial, 2) == 3
    wanted_after(trial, 1, ready=3)
    return trial


@pytest.mark.parametrize(
    "changes", [{"cores": 0.8}, {"idle": 0.4}, {"waiting": False}], ids=["not busy", "no idle core", "nothing waits"]
)
def test_nothing_is_tried_unless_this_process_needs_more_than_a_core(changes: dict[str, Any]) -> None:
    assert wanted_after(make(), 100, **changes) == 0


def test_nothing_is_tried_with_one_core() -> None:
    assert wanted_after(make(1), 100) == 0


def test_a_trial_needs_two_windows_in_a_row() -> None:
    trial = make()
    assert wanted_after(trial, 1) == 0
    assert wanted_after(trial, 1, waiting=False) == 0
    assert wanted_after(trial, 1) == 0
    assert wanted_after(trial, 1) == 3


@pytest.mark.parametrize(("cores", "idle", "wanted"), [(2, 1.0, 1), (4, 3.0, 3), (64, 60.0, MOST), (8, 0.6, 1)])
def test_as_many_are_tried_as_cores_are_idle(cores: int, idle: float, wanted: int) -> None:
    """At most one fewer than cores, because the run's own process needs one."""
    assert wanted_after(make(cores), 2, idle=idle) == wanted


def test_processes_that_bring_a_tenth_more_are_kept() -> None:
    trial = tried()
    assert wanted_after(trial, 8, work=110.1, ready=3) == 3
    assert trial.kept
    assert wanted_after(trial, 2 * LONG, work=0.0, waiting=False, ready=3) == 3


def test_processes_that_bring_less_are_withdrawn_and_tried_again_much_later() -> None:
    trial = tried()
    assert wanted_after(trial, 7, work=109.0, ready=3) == 3
    assert wanted_after(trial, 1, work=109.0, ready=3) == 0
    assert wanted_after(trial, LONG) == 0
    assert wanted_after(trial, 1) == 0
    assert wanted_after(trial, 1) == 3


def test_the_first_windows_with_processes_do_not_count() -> None:
    """Connections are opened and caches filled then."""
    trial = tried()
    wanted_after(trial, 4, work=1000.0, ready=3)
    assert wanted_after(trial, 4, work=109.0, ready=3) == 0


@pytest.mark.parametrize(("work", "wanted"), [(109.0, 0), (111.0, 3)], ids=["less", "a tenth more"])
def test_the_goodput_before_is_measured_until_the_first_process_is_ready(work: float, wanted: int) -> None:
    """A run speeds up in its first second. Windows in which only some processes are ready count for neither side."""
    trial = make()
    wanted_after(trial, 2, work=50.0)
    wanted_after(trial, 4, work=100.0)
    wanted_after(trial, 4, work=200.0, ready=2)
    wanted_after(trial, 5, work=work, ready=3)
    assert wanted_after(trial, 4, work=work, ready=3) == wanted


def test_one_odd_window_does_not_decide() -> None:
    trial = tried()
    wanted_after(trial, 6, work=150.0, ready=3)
    wanted_after(trial, 1, work=0.0, ready=3)
    assert wanted_after(trial, 1, work=150.0, ready=3) == 3
    assert trial.kept


def test_processes_that_do_not_become_ready_are_withdrawn() -> None:
    trial = make()
    wanted_after(trial, 2)
    assert wanted_after(trial, 240, ready=2) == 3
    assert wanted_after(trial, 1, ready=2) == 0


@given(st.integers(1, 128), st.lists(st.builds(Window, *[st.floats(0, 1e3)] * 3, st.booleans(), st.integers(0, 9))))
def test_the_number_of_processes_stays_within_its_bounds(cores: int, seen: list[Window]) -> None:
    trial = make(cores)
    assert all(0 <= trial.take(window) <= max(0, min(MOST, cores - 1)) for window in seen)
