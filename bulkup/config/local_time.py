"""Times of day on the local clock, and when they are reached: also on days on which the clock is set.

The zone is passed in as a function from Unix time to the local clock, because a system tells its zone only in this
direction. Where the clock is set forward, it skips some times: such a time counts as reached when the clock is set.
Where it is set back, it shows some times twice.

Pure.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from bulkup.config.units import TIME_OF_DAY
from bulkup.helpers.lazy_pattern import lazy_pattern
from bulkup.helpers.quick_dataclass import dataclass

LocalClock = Callable[[float], dt.datetime]  # from Unix seconds to local time without a zone

_TIME_OF_DAY = lazy_pattern(r"([01]?[0-9]|2[0-3]):([0-5][0-9])")
_DAY = 86_400  # seconds; no zone is further from UTC, and no two changes of a clock are closer


@dataclass(frozen=True, slots=True)
class TimeOfDay:
    """An hour and a minute. `str()` returns a form that `parse_time_of_day` accepts."""

    hour: int
    minute: int

    def __str__(self) -> str:
        return f"{self.hour:02}:{self.minute:02}"


def parse_time_of_day(value: object) -> TimeOfDay:
    """Return the time of a text such as `06:00`, or of a local time of TOML. Raises ValueError."""
    if isinstance(value, TimeOfDay):
        return value
    if isinstance(value, dt.time) and not (value.second or value.microsecond or value.tzinfo):
        return TimeOfDay(value.hour, value.minute)
    match = _TIME_OF_DAY.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"expected {TIME_OF_DAY}")
    return TimeOfDay(int(match[1]), int(match[2]))


def next_time(of_day: TimeOfDay, now: float, local: LocalClock) -> int:
    """Return the first Unix time after `now` at which the local clock shows a time of day, or skips it."""
    today = local(now).date()
    days = (today + dt.timedelta(days=number) for number in range(-1, 3))
    reached = (moment for day in days for moment in moments(wall_time(day, of_day), local))
    return min(moment for moment in reached if moment > now)


def wall_time(day: dt.date, of_day: TimeOfDay) -> dt.datetime:
    """Return a time of day on a day, as the local clock shows it."""
    return dt.datetime.combine(day, dt.time(of_day.hour, of_day.minute))


def moments(wall: dt.datetime, local: LocalClock) -> tuple[int, ...]:
    """Return the Unix times at which the local clock shows a time: one, or two where it is set back past it.

    Of a time that is skipped, it is the moment at which the clock is set.
    """
    as_utc = int(wall.replace(tzinfo=dt.UTC).timestamp())
    before, after = (_offset(as_utc + shift, local) for shift in (-_DAY, _DAY))
    shown = sorted({as_utc - offset for offset in (before, after)})
    exact = tuple(moment for moment in shown if local(moment) == wall)
    if exact:
        return exact
    earliest, latest = shown[0], shown[-1]
    while latest - earliest > 1:
        middle = (earliest + latest) // 2
        if local(middle) < wall:
            earliest = middle
        else:
            latest = middle
    return (latest,)


def _offset(moment: int, local: LocalClock) -> int:
    """Return the seconds by which the local clock is ahead of UTC."""
    return round(local(moment).replace(tzinfo=dt.UTC).timestamp()) - moment
