"""Times of day, and the moments at which a local clock shows them, on days on which it is set as well."""

from __future__ import annotations

import datetime as dt
import time
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bulkup.config.local_time import (
    LocalClock,
    TimeOfDay,
    moments,
    next_time,
    parse_time_of_day,
)
from bulkup.helpers.clock import local_clock

# Zones that set their clocks by an hour, by half an hour, at midnight, and never; and one that skipped a day.
ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "America/Santiago",
    "Asia/Beirut",
    "Africa/Casablanca",
    "Asia/Kolkata",
    "Pacific/Apia",
)
TIMES = st.builds(TimeOfDay, st.integers(0, 23), st.integers(0, 59))
NOWS = st.integers(1_262_304_000, 1_893_456_000)  # 2010 to 2030


def clock(zone: str) -> LocalClock:
    """Return the local clock of a zone."""
    return lambda seconds: dt.datetime.fromtimestamp(seconds, ZoneInfo(zone)).replace(tzinfo=None)


def unix(text: str, zone: str, *, second: bool = False) -> int:
    """Return the Unix time of a local time; `second` for the second of two."""
    return int(dt.datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=int(second)).timestamp())


@given(TIMES, NOWS, st.sampled_from(ZONES))
@example(TimeOfDay(2, 30), unix("2026-03-29T01:59:59", "Europe/Berlin"), "Europe/Berlin")
@example(TimeOfDay(2, 30), unix("2026-10-25T02:15", "Europe/Berlin", second=True), "Europe/Berlin")
@example(TimeOfDay(0, 0), unix("2024-09-07T12:00", "America/Santiago"), "America/Santiago")
@example(TimeOfDay(6, 0), unix("2011-12-29T12:00", "Pacific/Apia"), "Pacific/Apia")
def test_the_next_time_is_the_first_that_the_clock_shows_or_skips(of_day: TimeOfDay, now: int, zone: str) -> None:
    local = clock(zone)
    found = next_time(of_day, now, local)
    assert now < found <= now + 2 * 86_400
    before, after = local(found - 1), local(found)
    target = dt.datetime.combine(after.date(), dt.time(of_day.hour, of_day.minute))
    shown = after == target
    skipped = before < target < after or before.date() < after.date() - dt.timedelta(1)
    assert shown or skipped
    # No moment in between shows it: one of each minute is enough, because times of day are whole minutes.
    begin = now - now % 60 + 60
    shows = [at for at in range(begin, found, 60) if (local(at).hour, local(at).minute) == (of_day.hour, of_day.minute)]
    assert shows == []


@pytest.mark.parametrize(
    ("now", "of_day", "expected"),
    [
        ("2026-06-01T22:00", "06:00", "2026-06-02T06:00"),  # past midnight
        ("2026-06-01T05:59:59", "06:00", "2026-06-01T06:00"),
        ("2026-06-01T06:00", "06:00", "2026-06-02T06:00"),
        ("2026-03-28T22:00", "06:00", "2026-03-29T06:00"),  # the night has seven hours
        ("2026-10-24T22:00", "06:00", "2026-10-25T06:00"),  # the night has nine hours
        ("2026-03-29T01:00", "02:30", "2026-03-29T03:00"),  # the clock is set from 02:00 to 03:00
        ("2026-10-25T01:00", "02:30", "2026-10-25T02:30"),  # the first of two
    ],
)
def test_nights_in_which_the_clock_is_set(now: str, of_day: str, expected: str) -> None:
    found = next_time(parse_time_of_day(of_day), unix(now, "Europe/Berlin"), clock("Europe/Berlin"))
    assert found == unix(expected, "Europe/Berlin")


def test_a_run_that_begins_between_two_equal_times() -> None:
    """It ends at the second one, minutes later, and not on the next day."""
    zone = "Europe/Berlin"
    found = next_time(TimeOfDay(2, 30), unix("2026-10-25T02:15", zone, second=True), clock(zone))
    assert found == unix("2026-10-25T02:30", zone, second=True)


def test_a_time_that_is_shown_twice_has_two_moments() -> None:
    zone = "Europe/Berlin"
    first = unix("2026-10-25T02:30", zone)
    assert moments(dt.datetime.fromisoformat("2026-10-25T02:30"), clock(zone)) == (first, first + 3600)


@pytest.mark.parametrize("value", ["06:00", " 6:00 ", dt.time(6), TimeOfDay(6, 0)])
def test_forms_of_a_time_of_day(value: Any) -> None:
    """TOML has times of its own."""
    assert parse_time_of_day(value) == TimeOfDay(6, 0)
    assert str(parse_time_of_day(value)) == "06:00"


@pytest.mark.parametrize(
    "value", ["", "6", "24:00", "12:60", "06:00:30", "6am", "-1:00", 6, 6.0, None, True, dt.time(6, 0, 1)]
)
def test_other_values_are_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="expected a local time of day"):
        parse_time_of_day(value)


def test_the_clock_of_the_machine() -> None:
    """It has no zone, and is the one that `localtime` shows."""
    assert local_clock(0.0).timetuple()[:6] == time.localtime(0.0)[:6]
