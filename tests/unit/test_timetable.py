"""The limit on the bandwidth as users write it, and the rate at a time, on days on which the clock is set as well."""

from __future__ import annotations

import datetime as dt
import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_local_time import NOWS, ZONES, clock, unix

from bulkup.config.local_time import LocalClock, TimeOfDay, moments, wall_time
from bulkup.config.timetable import Timetable, parse_timetable

MIB = 1024**2
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
BERLIN = clock("Europe/Berlin")

ENTRIES = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 23), st.sampled_from((0, 15, 30, 45)), st.integers(1, 50)),
    min_size=1,
    max_size=6,
    unique_by=lambda entry: entry[:3],
)


def text_of(entries: list[tuple[int, int, int, int]]) -> str:
    return " ".join(f"{DAYS[day]}-{hour:02}:{minute:02},{rate}M" for day, hour, minute, rate in entries)


def rate_at(table: str, when: str, zone: str = "Europe/Berlin") -> int | None:
    return parse_timetable(table).rate_at(unix(when, zone), clock(zone))


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("20M", 20 * MIB),
        (" 1.5 MiB/s ", int(1.5 * MIB)),
        ("512k", 512 * 1024),
        ("4096B", 4096),
        ("1k", 1024),
        ("off", None),
        ("OFF", None),
        ("0", None),
        (0, None),
    ],
)
def test_one_rate(text: Any, rate: int | None) -> None:
    """It is the same at all times, so nothing has to follow it."""
    table = parse_timetable(text)
    assert [table.rate_at(now, BERLIN) for now in (0.0, 1e9, 1.8e9)] == [rate] * 3
    assert (table.changes, table.next_change(0.0, BERLIN)) == (False, None)


@pytest.mark.parametrize(
    ("when", "rate"),
    [
        ("2026-06-01T07:59:59", None),  # Monday: since Friday evening
        ("2026-06-01T08:00", 2 * MIB),
        ("2026-06-01T17:59:59", 2 * MIB),
        ("2026-06-01T18:00", None),
        ("2026-06-05T18:00", None),
        ("2026-06-06T12:00", None),  # Saturday
        ("2026-03-29T12:00", None),  # a Sunday on which the clock is set forward
        ("2026-03-30T08:00", 2 * MIB),
    ],
)
def test_working_hours(when: str, rate: int | None) -> None:
    """An entry is in force until the next one, over days without entries as well."""
    assert rate_at("Mon-Fri 08:00,2M 18:00,off", when) == rate


@pytest.mark.parametrize(
    ("table", "same"),
    [
        ("Mon-Fri 08:00,2M 18:00,off", "mon-fri   8:00,2m;18:00,OFF"),
        ("Mon-Fri 08:00,2M 18:00,off", "Mon-Fri-08:00,2M Mon-Fri-18:00,off"),
        ("Mon-Fri 08:00,2M 18:00,off", "monday,tuesday,wednesday-friday 08:00,2MiB/s 18:00,0"),
        ("08:00,2M 18:00,off", "Mon-Sun 08:00,2M 18:00,off"),
        ("Fri-Mon 08:00,2M 18:00,off", "Fri,Sat,Sun,Mon 08:00,2M 18:00,off"),
        ("Mon-Fri 08:00,2M Sat-09:00,3M 18:00,off", "Mon-Fri 08:00,2M 18:00,off Sat 09:00,3M"),
    ],
)
def test_ways_to_write_one_timetable(table: str, same: str) -> None:
    """Days hold up to the next days; a day before a single time holds for it alone, as with rclone."""
    hours = [unix("2026-06-01T00:30", "Europe/Berlin") + 1800 * number for number in range(14 * 24)]
    one, other = parse_timetable(table), parse_timetable(same)
    assert [one.rate_at(hour, BERLIN) for hour in hours] == [other.rate_at(hour, BERLIN) for hour in hours]


@given(ENTRIES, NOWS, st.sampled_from(ZONES))
def test_the_rate_is_that_of_the_last_entry_that_has_begun(
    entries: list[tuple[int, int, int, int]], now: int, zone: str
) -> None:
    """Begun has an entry at the first moment at which the clock shows its time, or skips it."""
    table, local = parse_timetable(text_of(entries)), clock(zone)
    begun = sorted(one for one in begins(entries, now, local) if one[0] <= now)
    assert table.rate_at(now, local) == begun[-1][2] * MIB


@given(ENTRIES, NOWS, st.sampled_from(ZONES))
def test_the_rate_stays_until_the_next_change(entries: list[tuple[int, int, int, int]], now: int, zone: str) -> None:
    table, local = parse_timetable(text_of(entries)), clock(zone)
    change = table.next_change(now, local)
    if change is None:
        assert len({rate for *_, rate in entries}) == 1
        return
    assert now < change <= now + 8 * 86_400
    assert table.rate_at(change - 1, local) == table.rate_at(now, local)
    assert change in {moment for moment, _, _ in begins(entries, change, local)}


def begins(
    entries: list[tuple[int, int, int, int]], now: float, local: LocalClock
) -> list[tuple[int, dt.datetime, int]]:
    """Return the moments at which entries begin, in the two weeks around a time."""
    days = [local(now).date() + dt.timedelta(number) for number in range(-9, 3)]
    return [
        (moments(wall_time(on, TimeOfDay(hour, minute)), local)[0], wall_time(on, TimeOfDay(hour, minute)), rate)
        for on, (day, hour, minute, rate) in itertools.product(days, entries)
        if on.weekday() == day
    ]


def test_a_time_that_the_clock_skips_begins_when_it_is_set() -> None:
    assert rate_at("00:00,1M 02:30,2M", "2026-03-29T01:59:59") == MIB
    assert rate_at("00:00,1M 02:30,2M", "2026-03-29T03:00") == 2 * MIB


def test_a_time_that_the_clock_shows_twice_begins_once() -> None:
    """It does not return to the earlier entry when the clock is set back."""
    table, zone = parse_timetable("00:00,1M 02:30,2M"), "Europe/Berlin"
    again = unix("2026-10-25T02:15", zone, second=True)
    assert table.rate_at(again, BERLIN) == 2 * MIB
    assert table.rate_at(again - 3600, BERLIN) == MIB


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("", ""),
        ("  ", ""),
        (None, ""),
        (True, ""),
        (512, "a number has no unit"),
        (1.5, "a number has no unit"),
        ("512", "neither days nor a time"),
        ("fast", "fast is neither days nor a time"),
        ("20Mbit", "20Mbit is neither days nor a time"),
        ("-1M", "-1M is neither days nor a time"),
        ("1023B", "the lowest rate is 1k"),
        ("1.2.3M", "1.2.3M is no rate"),
        ("08:00,fast", "fast is no rate with a unit"),
        ("08:00,512", "512 is no rate with a unit"),
        ("08:00", "08:00 is neither days nor a time"),
        ("25:00,2M", "has no time of day"),
        ("08:60,2M", "has no time of day"),
        ("Mon-Fri", "no time follows the last days"),
        ("Mon-Fri Sat 08:00,2M", "no time follows the days before Sat"),
        ("Mon-Fri 2M", "2M is neither days nor a time"),
        ("Mon-Foo 08:00,2M", "Mon-Foo is neither days nor a time"),
        ("08:00,2M 8:00,3M", "a time has two rates"),
        ("08:00,2M Sat,Sun 08:00,3M", "a time has two rates"),
        ("Mon-Wed 08:00,2M Tue 08:00,off", "a time has two rates"),
    ],
)
def test_other_values_are_refused(value: Any, reason: str) -> None:
    """The message says what is wrong with them."""
    with pytest.raises(ValueError, match="expected bytes per second") as error:
        parse_timetable(value)
    assert reason in str(error.value)


def test_a_timetable_shows_its_text() -> None:
    """The shown text is accepted again."""
    table = parse_timetable(" Mon-Fri  08:00,2M;18:00,off ")
    assert str(table) == "Mon-Fri 08:00,2M 18:00,off"
    assert parse_timetable(str(table)) == parse_timetable(table) == table
    assert isinstance(table, Timetable)
