"""The limit on the bandwidth (`bwlimit`): a rate, or a timetable of rates.

    20M                                  always 20 MiB per second
    Mon-Fri 08:00,2M 18:00,off           from 8 to 18 o'clock on weekdays
    08:00,512k 12:00,10M 13:00,512k 18:00,30M 23:00,off
    Mon-08:00,2M Sat-00:00,off           the way in which rclone names a day

An entry is in force from its time on, until that of the next entry, which may be days later. Days in front of entries
count up to the next days; entries in front of all days count every day. A day may also stand before one time. Times are
those of the local clock. Where it is set forward past a time, the entry begins when the clock is set. A time that the
clock shows twice counts once, the first time.

Pure: the time and the local clock are passed in.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from bulkup.config.local_time import LocalClock, TimeOfDay, moments, parse_time_of_day, wall_time
from bulkup.config.units import BANDWIDTH, parse_size
from bulkup.helpers.lazy_pattern import lazy_pattern
from bulkup.helpers.quick_dataclass import dataclass

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = r"(?:mon(?:day)?|tue(?:sday)?|wed(?:nesday)?|thu(?:rsday)?|fri(?:day)?|sat(?:urday)?|sun(?:day)?)"
_SOME_DAYS = lazy_pattern(rf"{_DAY}(?:-{_DAY})?(?:,{_DAY}(?:-{_DAY})?)*")
_ENTRY = lazy_pattern(rf"(?:({_DAY}(?:-{_DAY})?(?:,{_DAY}(?:-{_DAY})?)*)-)?([0-9]{{1,2}}:[0-9]{{2}}),(.+)")
_RATE = lazy_pattern(r"[0-9.]+ ?(?:[kmgt](?:i?b)?|b)(?:/s)?")
_NO_LIMIT = ("off", "0")
_LEAST = 1024  # bytes per second; with less, a file of some megabytes takes longer than any upload URL is valid
_EVERY_DAY = tuple(range(7))
_WEEK = 8  # days to look at, for an entry of one day per week whose time is past, or still to come


@dataclass(frozen=True, slots=True)
class TimetableEntry:
    """A rate in bytes per second, None for no limit, from a time on. Days count from 0, Monday."""

    days: tuple[int, ...]
    time: TimeOfDay
    rate: int | None


@dataclass(frozen=True, slots=True)
class Timetable:
    """Rates by the time of the week. `str()` returns the text, which `parse_timetable` accepts."""

    text: str
    entries: tuple[TimetableEntry, ...]

    def __str__(self) -> str:
        return self.text

    @property
    def changes(self) -> bool:
        """Whether the rate is not always the same."""
        return len({entry.rate for entry in self.entries}) > 1

    def rate_at(self, now: float, local: LocalClock) -> int | None:
        """Return the rate at a Unix time, None for no limit."""
        if not self.changes:
            return self.entries[0].rate
        today = local(now).date()
        days = (today - dt.timedelta(number) for number in range(-1, _WEEK))
        begun = (entry for day in days for entry in self._on(day, local) if entry[0] <= now)
        return max(begun, key=lambda entry: entry[:2])[2]

    def next_change(self, now: float, local: LocalClock) -> float | None:
        """Return the Unix time of the next entry after `now`, None if the rate is always the same."""
        if not self.changes:
            return None
        today = local(now).date()
        days = (today + dt.timedelta(number) for number in range(-1, _WEEK + 1))
        return min(moment for day in days for moment, _, _ in self._on(day, local) if moment > now)

    def _on(self, day: dt.date, local: LocalClock) -> Iterator[tuple[int, dt.datetime, int | None]]:
        """Yield the entries of a day: when each begins, its time on the clock, and its rate."""
        for entry in self.entries:
            if day.weekday() in entry.days:
                wall = wall_time(day, entry.time)
                yield moments(wall, local)[0], wall, entry.rate


def parse_timetable(value: object) -> Timetable:
    """Return the timetable of a text. Raises ValueError."""
    if isinstance(value, Timetable):
        return value
    if value == 0 and not isinstance(value, bool):
        value = "off"
    if not isinstance(value, str):
        raise _expected("a number has no unit" if isinstance(value, int | float) else "")
    text = " ".join(value.replace(";", " ").split())
    if not text:
        raise _expected()
    if _is_rate(text):
        return Timetable(text, (TimetableEntry(_EVERY_DAY, TimeOfDay(0, 0), _rate(text)),))
    entries = tuple(_entries(text.split(" ")))
    begins = [(day, entry.time) for entry in entries for day in entry.days]
    if len(set(begins)) < len(begins):
        raise _expected("a time has two rates")
    return Timetable(text, entries)


def _entries(words: list[str]) -> Iterator[TimetableEntry]:
    days, used = _EVERY_DAY, True
    for word in words:
        lower = word.lower()
        if _SOME_DAYS.fullmatch(lower):
            if not used:
                raise _expected(f"no time follows the days before {word}")
            days, used = _days(lower), False
        elif match := _ENTRY.fullmatch(lower):
            own, time, rate = match.groups()
            used = used or own is None
            yield TimetableEntry(days if own is None else _days(own), _time(time, word), _rate(rate))
        else:
            raise _expected(f"{word} is neither days nor a time with its rate")
    if not used:
        raise _expected("no time follows the last days")


def _days(text: str) -> tuple[int, ...]:
    """Return the days of a list such as `sat,mon-wed`, in the order of the week."""
    days = set[int]()
    for part in text.split(","):
        first, _, last = part.partition("-")
        begin = _DAYS.index(first[:3])
        end = _DAYS.index(last[:3]) if last else begin
        days.update((begin + step) % 7 for step in range((end - begin) % 7 + 1))
    return tuple(sorted(days))


def _time(text: str, word: str) -> TimeOfDay:
    try:
        return parse_time_of_day(text)
    except ValueError:
        raise _expected(f"{word} has no time of day") from None


def _is_rate(text: str) -> bool:
    lower = text.lower()
    return lower in _NO_LIMIT or _RATE.fullmatch(lower) is not None


def _rate(text: str) -> int | None:
    lower = text.lower()
    if lower in _NO_LIMIT:
        return None
    if not _is_rate(text):
        raise _expected(f"{text} is no rate with a unit")
    try:
        rate = parse_size(lower.removesuffix("/s"))
    except ValueError:
        raise _expected(f"{text} is no rate") from None
    if rate < _LEAST:
        raise _expected("the lowest rate is 1k")
    return rate


def _expected(detail: str = "") -> ValueError:
    return ValueError(f"expected {BANDWIDTH}" + (f"; {detail}" if detail else ""))
