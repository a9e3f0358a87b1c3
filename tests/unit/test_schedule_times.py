"""The times of a schedule in the forms of systemd, cron and launchd."""

from __future__ import annotations

import datetime as dt
import subprocess
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.cli.schedule.schedule_times import DAYS, EVERY_DAY, ScheduleTimes, parse_times
from bulkup.errors import UsageError

SCHEDULES = st.builds(
    ScheduleTimes,
    st.sets(st.tuples(st.integers(0, 23), st.integers(0, 59)), min_size=1, max_size=4).map(
        lambda at: tuple(sorted(at))
    ),
    st.sets(st.integers(0, 6), min_size=1).map(lambda days: tuple(sorted(days))),
)


@pytest.mark.parametrize(
    ("weekdays", "systemd", "cron"),
    [
        (None, "*-*-* 02:05:00", "5 2 * * *"),
        ("Mon-Sun", "*-*-* 02:05:00", "5 2 * * *"),
        ("Mon-Fri", "Mon..Fri *-*-* 02:05:00", "5 2 * * 1-5"),
        ("monday, WED,fri-sat", "Mon,Wed,Fri,Sat *-*-* 02:05:00", "5 2 * * 1,3,5,6"),
        ("Sat-Mon", "Mon,Sat,Sun *-*-* 02:05:00", "5 2 * * 0,1,6"),
        ("Sun", "Sun *-*-* 02:05:00", "5 2 * * 0"),
        ("Thu-Sun", "Thu..Sun *-*-* 02:05:00", "5 2 * * 0,4-6"),
    ],
)
def test_days_are_written_in_the_form_of_each_service_manager(weekdays: str | None, systemd: str, cron: str) -> None:
    times = parse_times(["2:05"], weekdays)
    assert times.on_calendar() == [systemd]
    assert times.cron_fields() == [cron]


def test_launchd_counts_from_sunday() -> None:
    assert parse_times(["02:00"], None).launchd_intervals() == [{"Hour": 2, "Minute": 0}]
    assert parse_times(["02:00", "1:30"], "Sat-Sun").launchd_intervals() == [
        {"Weekday": 6, "Hour": 1, "Minute": 30},
        {"Weekday": 6, "Hour": 2, "Minute": 0},
        {"Weekday": 0, "Hour": 1, "Minute": 30},
        {"Weekday": 0, "Hour": 2, "Minute": 0},
    ]


def test_times_are_in_order_and_without_duplicates() -> None:
    assert parse_times(["14:00", "02:00", "2:00"], None).at_texts() == ["02:00", "14:00"]


@pytest.mark.parametrize("at", ["", "2", "24:00", "12:60", "2am", "-1:00", "02:00:00", "\u0661:\u0660\u0660"])
def test_a_wrong_time_is_refused(at: str) -> None:
    with pytest.raises(UsageError, match="--at"):
        parse_times([at], None)


@pytest.mark.parametrize("days", ["", "Mo", "Mon-", "-Fri", "Mon,,Tue", "1-5", "Mon-Fri-Sun", "weekdays"])
def test_wrong_days_are_refused(days: str) -> None:
    with pytest.raises(UsageError, match="--weekdays"):
        parse_times(["02:00"], days)


def test_without_a_time_there_is_no_schedule() -> None:
    with pytest.raises(UsageError, match="--at"):
        parse_times([], None)


@given(SCHEDULES)
def test_what_is_shown_can_be_read_again(times: ScheduleTimes) -> None:
    assert parse_times(times.at_texts(), times.weekdays_text()) == times


@given(SCHEDULES, st.datetimes(dt.datetime.fromisoformat("2020-01-01"), dt.datetime.fromisoformat("2040-01-01")))
def test_the_next_time_is_the_first_that_applies(times: ScheduleTimes, now: dt.datetime) -> None:
    found = times.next_after(now)
    assert now < found <= now + dt.timedelta(days=7)
    assert (found.hour, found.minute) in times.at
    assert found.weekday() in times.weekdays
    minutes = int((found - now).total_seconds() // 60)
    between = (found - dt.timedelta(minutes=back) for back in range(1, min(minutes, 3000)))
    assert not any((one.hour, one.minute) in times.at and one.weekday() in times.weekdays for one in between)


@pytest.mark.parametrize("weekdays", [None, "Mon-Fri", "Sat-Mon", "Tue,Thu-Sun", "Sun"])
def test_systemd_reads_the_times_as_they_are_meant(weekdays: str | None) -> None:
    """Its next times are the next times of the schedule, in UTC so that no zone matters."""
    times = parse_times(["02:00", "23:59"], weekdays)
    expected, at = [], dt.datetime.fromisoformat("2026-02-27T12:00")
    for _ in range(8):
        at = times.next_after(at)
        expected.append(at)
    for event in times.on_calendar():
        command = ["systemd-analyze", "calendar", "--base-time=2026-02-27 12:00:00 UTC", "--iterations=4", event]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env={"TZ": "UTC", "LC_ALL": "C"})
        lines = [line.partition(":")[2].strip() for line in done.stdout.splitlines()]
        found = [dt.datetime.fromisoformat(line[4:-4]) for line in lines if line[:3] in DAYS and line.endswith(" UTC")]
        assert len(found) == 4, done.stdout
        assert found == [time for time in expected if f"{time:%H:%M}" in event][:4]


def test_every_day_is_all_days() -> None:
    assert len(EVERY_DAY) == len(DAYS) == 7


@pytest.fixture
def _berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("_berlin")
@pytest.mark.parametrize(
    ("now", "following"),
    [
        ("2026-01-10T12:00+00:00", "2026-01-11T01:00+00:00"),
        ("2026-07-10T12:00+00:00", "2026-07-11T00:00+00:00"),
        ("2026-10-24T12:00+00:00", "2026-10-25T00:00+00:00"),  # the clock shows 02:00 twice; the first time counts
    ],
)
def test_times_are_those_of_the_local_clock(now: str, following: str) -> None:
    found = parse_times(["02:00"], None).next_time(dt.datetime.fromisoformat(now).timestamp())
    assert found == dt.datetime.fromisoformat(following).timestamp()
