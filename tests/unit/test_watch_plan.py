"""The next step of a watch, and the effect of a run on it."""

from __future__ import annotations

from typing import Any

import pytest

from bulkup.api.watch.watch_plan import (
    Outlook,
    RunDistance,
    RunEffect,
    WatchOptions,
    WatchStep,
    effect_of,
    next_pause,
    next_step,
)
from bulkup.errors import ExitCode

OPTIONS = WatchOptions()
NIGHT = 1_000_000.0


def step(**changes: Any) -> tuple[WatchStep, float]:
    """Return the next step of a watch with nothing to do, 10 hours before the rescan, but for these changes."""
    quiet: dict[str, Any] = {"now": 100.0, "unix": NIGHT - 36_000.0, "settled_at": None, "scan_wanted": False}
    return next_step(Outlook(**{**quiet, "rescan_at": NIGHT, "not_before": 0.0, **changes}), OPTIONS)


def test_without_anything_to_do_the_sleep_is_short() -> None:
    """The clock may be set, and the machine may have been suspended."""
    assert step() == (WatchStep.WAIT, OPTIONS.longest_sleep)
    assert step(unix=NIGHT - 4.0) == (WatchStep.WAIT, 4.0)
    assert step(settled_at=103.0) == (WatchStep.WAIT, 3.0)


def test_settled_paths_are_sent() -> None:
    assert step(settled_at=100.0) == (WatchStep.SEND, 0.0)


def test_a_look_at_everything_comes_before_single_paths() -> None:
    assert step(settled_at=90.0, scan_wanted=True) == (WatchStep.SCAN, 0.0)


def test_the_nightly_rescan_waits_for_quiet_but_not_for_ever() -> None:
    assert step(unix=NIGHT) == (WatchStep.SCAN, 0.0)
    assert step(unix=NIGHT, settled_at=90.0) == (WatchStep.SEND, 0.0)
    assert step(unix=NIGHT + OPTIONS.longest_wait, settled_at=90.0) == (WatchStep.SCAN, 0.0)


@pytest.mark.parametrize("due", [{"settled_at": 90.0}, {"scan_wanted": True}, {"unix": NIGHT}])
def test_no_run_begins_before_its_time(due: dict[str, Any]) -> None:
    assert step(not_before=104.0, **due) == (WatchStep.WAIT, 4.0)
    assert step(not_before=1000.0, **due) == (WatchStep.WAIT, OPTIONS.longest_sleep)


@pytest.mark.parametrize(
    ("code", "has_error", "first", "effect"),
    [
        (ExitCode.OK, False, True, RunEffect.GOOD),
        (ExitCode.FILES_FAILED, False, False, RunEffect.GOOD),
        (ExitCode.INCOMPLETE, False, False, RunEffect.GOOD),
        (ExitCode.FILES_FAILED, True, False, RunEffect.BROKEN),
        (ExitCode.SERVICE, True, False, RunEffect.BROKEN),
        (ExitCode.SERVICE, True, True, RunEffect.LAST),
        (ExitCode.MACHINE, True, False, RunEffect.LAST),
        (ExitCode.SIGTERM, False, False, RunEffect.LAST),
    ],
)
def test_what_a_run_means(code: ExitCode, has_error: bool, first: bool, effect: RunEffect) -> None:
    """A service that is down for the night ends no watch, unless the first run shows that it was never right."""
    assert effect_of(code, has_error=has_error, first=first) is effect


def test_pauses_after_runs_that_broke_off() -> None:
    pauses = [0.0]
    for _ in range(6):
        pauses.append(next_pause(pauses[-1], OPTIONS))
    assert pauses[1:] == [60.0, 120.0, 240.0, 480.0, 900.0, 900.0]


def test_runs_are_further_apart_where_there_are_many() -> None:
    """In the worst case a run begins every minute, which bounds the growth of the journal."""
    times, now, gaps = RunDistance(OPTIONS), 0.0, list[float]()
    for _ in range(2 * OPTIONS.many):
        later = times.begin(now)
        gaps.append(later - now)
        now = later
    assert gaps[: OPTIONS.many - 1] == [OPTIONS.interval] * (OPTIONS.many - 1)
    assert set(gaps[OPTIONS.many - 1 :]) >= {OPTIONS.long_interval}
    assert times.begin(now + 7200.0) == now + 7200.0 + OPTIONS.interval
