"""The lines that a watch shows at a terminal between two runs."""

from __future__ import annotations

import dataclasses
import datetime as dt

import pytest

from bulkup.reports.watch_lines import WatchState, watch_lines

NOW = dt.datetime(2026, 11, 30, 15, 0, tzinfo=dt.UTC)
STATE = WatchState(
    since=NOW.replace(hour=14, minute=2),
    uploaded=1_204,
    last=NOW - dt.timedelta(seconds=150),
    next_look=NOW.replace(day=30, hour=2) + dt.timedelta(days=1),
)


def test_eighty_columns() -> None:
    assert watch_lines(STATE, NOW, 80) == [
        "watching since 14:02, 1,204 files uploaded, last 2 min ago,",
        "next look at all files 02:00",
    ]


def test_forty_columns() -> None:
    assert watch_lines(STATE, NOW, 40) == [
        "watching since 14:02,",
        "1,204 files uploaded, last 2 min ago,",
        "next look at all files 02:00",
    ]


def test_a_wide_terminal() -> None:
    assert watch_lines(STATE, NOW, 200) == [
        "watching since 14:02, 1,204 files uploaded, last 2 min ago, next look at all files 02:00"
    ]


@pytest.mark.parametrize("width", [1, 20, 30, 40, 79, 80, 81, 87, 88, 89, 120])
def test_no_line_with_several_figures_is_as_long_as_the_terminal_is_wide(width: int) -> None:
    lines = watch_lines(STATE, NOW, width)
    assert " ".join(lines) == watch_lines(STATE, NOW, 200)[0]
    assert all(len(line) < width or "," not in line.replace("1,204", "").rstrip(",") for line in lines)


def test_before_the_first_file_and_after_one() -> None:
    none = dataclasses.replace(STATE, uploaded=0, last=None)
    assert watch_lines(none, NOW, 200) == ["watching since 14:02, 0 files uploaded, next look at all files 02:00"]
    one = dataclasses.replace(STATE, uploaded=1, last=NOW)
    assert " 1 file uploaded, last 0 s ago," in watch_lines(one, NOW, 200)[0]


def test_a_watch_that_is_paused() -> None:
    paused = dataclasses.replace(STATE, is_paused=True)
    assert watch_lines(paused, NOW, 80)[0].startswith("watching since 14:02, paused, 1,204 files")


@pytest.mark.parametrize(
    ("seconds", "text"), [(-5, "0 s"), (59, "59 s"), (60, "1 min"), (3599, "59 min"), (3600, "1 h 00 min")]
)
def test_the_age_of_the_last_file(seconds: int, text: str) -> None:
    """The clock may have been set back."""
    state = dataclasses.replace(STATE, last=NOW - dt.timedelta(seconds=seconds))
    assert f", last {text} ago," in watch_lines(state, NOW, 200)[0]


def test_a_watch_of_weeks() -> None:
    """The time alone would be that of today."""
    state = dataclasses.replace(STATE, since=STATE.since - dt.timedelta(days=20))
    assert watch_lines(state, NOW, 200)[0].startswith("watching since 2026-11-10 14:02,")
