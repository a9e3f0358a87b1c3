"""The times of a schedule, in the form of each service manager. Pure."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Sequence

from bulkup.errors import UsageError
from bulkup.helpers.quick_dataclass import dataclass

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
EVERY_DAY = tuple(range(7))
_TIME = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])")


@dataclass(frozen=True, slots=True)
class ScheduleTimes:
    """Local times as hour and minute, and the days on which they apply, Monday being 0; both in order."""

    at: tuple[tuple[int, int], ...]
    weekdays: tuple[int, ...] = EVERY_DAY

    def on_calendar(self) -> list[str]:
        """Return systemd's calendar events: `Mon..Fri *-*-* 02:00:00`."""
        days = ",".join("..".join(DAYS[day] for day in ends) for ends in _ranges(self.weekdays))
        before = "" if self.weekdays == EVERY_DAY else f"{days} "
        return [f"{before}*-*-* {hour:02}:{minute:02}:00" for hour, minute in self.at]

    def cron_fields(self) -> list[str]:
        """Return the first five fields of a line for cron: `0 2 * * 1-5`."""
        sunday_first = tuple(sorted((day + 1) % 7 for day in self.weekdays))
        days = ",".join("-".join(map(str, ends)) for ends in _ranges(sunday_first))
        return [f"{minute} {hour} * * {'*' if self.weekdays == EVERY_DAY else days}" for hour, minute in self.at]

    def launchd_intervals(self) -> list[dict[str, int]]:
        """Return the values of launchd's StartCalendarInterval, in which Sunday is 0."""
        times = [{"Hour": hour, "Minute": minute} for hour, minute in self.at]
        if self.weekdays == EVERY_DAY:
            return times
        return [{"Weekday": (day + 1) % 7, **time} for day in self.weekdays for time in times]

    def next_after(self, now: dt.datetime) -> dt.datetime:
        """Return the first of the times after `now`, which is a local time without a zone."""
        for distance in range(8):
            day = now.date() + dt.timedelta(days=distance)
            for hour, minute in self.at if day.weekday() in self.weekdays else ():
                found = dt.datetime.combine(day, dt.time(hour, minute))
                if found > now:
                    return found
        raise ValueError("a schedule has at least one time and one day")

    def next_time(self, now: float) -> float:
        """Return the first of the times after a Unix time, as one, by the local clock."""
        return self.next_after(dt.datetime.fromtimestamp(now)).timestamp()  # noqa: DTZ006  # local, as the times are

    def shown(self) -> str:
        """Return the times for people: `02:00, 14:00 on Mon-Fri`."""
        return f"{', '.join(self.at_texts())}{self._days()}"

    def at_texts(self) -> list[str]:
        """Return the times in the form of the option: `02:00`."""
        return [f"{hour:02}:{minute:02}" for hour, minute in self.at]

    def weekdays_text(self) -> str:
        """Return the days in the form of the option: `Mon-Fri`."""
        return ",".join("-".join(DAYS[day] for day in ends) for ends in _ranges(self.weekdays))

    def _days(self) -> str:
        return " every day" if self.weekdays == EVERY_DAY else f" on {self.weekdays_text()}"


def parse_times(at: Sequence[str], weekdays: str | None) -> ScheduleTimes:
    """Return the times from the texts of options. Raises UsageError."""
    if not at:
        raise UsageError("--at is missing", hint="name a local time: --at 02:00; or --watch, to upload what arrives")
    times = {_time(text) for text in at}
    days = set(EVERY_DAY) if weekdays is None else {day for part in weekdays.split(",") for day in _days(part)}
    return ScheduleTimes(tuple(sorted(times)), tuple(sorted(days)))


def _time(text: str) -> tuple[int, int]:
    found = _TIME.fullmatch(text.strip())
    if found is None:
        raise UsageError(f"--at: expected a local time such as 02:00 or 23:30, not {text}")
    return int(found[1]), int(found[2])


def _days(text: str) -> Iterator[int]:
    """Yield the days of a name or a range, which may cross the end of the week: `Sat-Mon`."""
    first, _, last = text.partition("-")
    begin = _day(first, text)
    yield begin
    end = _day(last, text) if "-" in text else begin
    while begin != end:
        begin = (begin + 1) % 7
        yield begin


def _day(name: str, text: str) -> int:
    short = name.strip().capitalize()
    for number, day in enumerate(DAYS):
        full = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")[number]
        if short in (day, full):
            return number
    raise UsageError(f"--weekdays: expected days such as Mon-Fri or Mon,Wed,Sat, not {text.strip() or 'an empty text'}")


def _ranges(numbers: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Yield the first and the last of each sequence without a gap; those of two numbers or fewer one by one."""
    start = 0
    for index in range(1, len(numbers) + 1):
        if index == len(numbers) or numbers[index] != numbers[index - 1] + 1:
            found = numbers[start:index]
            if len(found) > 2:
                yield found[0], found[-1]
            else:
                yield from ((one,) for one in found)
            start = index
