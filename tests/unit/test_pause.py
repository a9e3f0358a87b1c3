"""The pause of a run, in its pure form; the stages have tests of their own."""

from __future__ import annotations

import math

import pytest

from bulkup.pipeline.pause import Pause, run_state


def test_the_time_of_a_pause_does_not_count() -> None:
    """During the pause nothing counts; after it, limits count from its end."""
    pause = Pause()
    assert pause.counts_from(10.0) == -math.inf
    pause.begin(15.0)
    assert pause.counts_from(20.0) == 20.0
    pause.end(30.0)
    assert pause.counts_from(40.0) == 30.0


def test_only_a_change_is_reported() -> None:
    pause, resumed = Pause(), list[bool]()
    pause.on_resume(lambda: resumed.append(pause.on))
    assert not pause.end(1.0)
    assert [pause.begin(1.0), pause.begin(1.5), pause.end(2.0), pause.end(3.0)] == [True, False, True, False]
    assert resumed == [False]
    assert pause.counts_from(9.0) == 2.0


def test_the_time_of_all_pauses_is_counted() -> None:
    """Also of one that has not ended; a second pause during a pause changes nothing."""
    pause = Pause()
    assert pause.seconds(100.0) == 0.0
    pause.begin(100.0)
    pause.begin(105.0)
    assert pause.seconds(110.0) == 10.0
    pause.end(120.0)
    assert pause.seconds(150.0) == 20.0
    pause.begin(200.0)
    assert pause.seconds(201.0) == 21.0


@pytest.mark.parametrize(
    ("paused", "stopping", "state"),
    [(False, False, "running"), (True, False, "paused"), (False, True, "stopping"), (True, True, "stopping")],
)
def test_the_state_of_a_run(paused: bool, stopping: bool, state: str) -> None:
    assert run_state(paused=paused, stopping=stopping) == state
