"""The time at which a service deletes an unused upload, as people write it."""

from __future__ import annotations

import datetime as dt
import re

from bulkup.config.units import parse_duration
from bulkup.helpers.lazy_pattern import lazy_pattern
from bulkup.helpers.quick_dataclass import dataclass

EXPECTED = (
    "a time with its zone such as 2030-01-31T00:00:00Z, a duration with its unit such as 30d, "
    "whole Unix seconds, or 0 for never"
)

_RFC3339 = lazy_pattern(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_DURATION = lazy_pattern(r"[0-9.]+ ?[smhd]")
_EARLIEST = 10**9  # Unix seconds; a smaller number is probably a duration without its unit
_LATEST = 253_402_300_799  # Unix seconds, the end of the year 9999; a larger number is probably in milliseconds
_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60))


@dataclass(frozen=True, slots=True)
class Expiry:
    """Either `at`, whole Unix seconds with 0 for never, or `after`, seconds from the start of the upload session.

    `str()` returns a readable form that `parse_expiry` accepts.
    """

    at: int | None = None
    after: float | None = None

    @property
    def never(self) -> bool:
        """Return whether the service keeps the upload forever."""
        return self.at == 0

    def __str__(self) -> str:
        if self.after is not None:
            return _duration(self.after)
        if not self.at:
            return "never"
        return dt.datetime.fromtimestamp(self.at, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_expiry(value: object, now: float) -> Expiry:
    """Return the expiry for a number, text or a TOML time. Fractions of a second are dropped.

    Raises ValueError, also for a time before `now` (Unix seconds).
    """
    if isinstance(value, Expiry):
        return value
    if isinstance(value, dt.datetime):
        return _from_time(value, now)
    text = value.strip() if isinstance(value, str) else value
    if isinstance(text, str) and _DURATION.fullmatch(text):
        return _from_duration(text)
    if isinstance(text, str) and _RFC3339.fullmatch(text):
        return _from_text(text, now)
    if text == "never":
        return Expiry(at=0)
    return _from_number(text, now)


def _from_number(value: object, now: float) -> Expiry:
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,15}", value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"expected {EXPECTED}")
    if 0 < value < _EARLIEST:
        raise ValueError(f"expected {EXPECTED}; a duration needs its unit")
    if value > _LATEST:
        raise ValueError(f"expected {EXPECTED}; this one is beyond the year 9999, is it in milliseconds?")
    return _at(value, now)


def _from_duration(text: str) -> Expiry:
    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise ValueError(f"expected {EXPECTED}") from error
    if seconds <= 0:
        raise ValueError(f"expected {EXPECTED}; a duration must be longer than 0")
    return Expiry(after=seconds)


def _from_text(text: str, now: float) -> Expiry:
    try:
        time = dt.datetime.fromisoformat(text.upper())
    except ValueError as error:
        raise ValueError(f"expected {EXPECTED}; there is no such time") from error
    return _from_time(time, now)


def _from_time(time: dt.datetime, now: float) -> Expiry:
    if time.tzinfo is None:
        raise ValueError(f"expected {EXPECTED}; this one has no zone")
    return _at(int((time - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)).total_seconds()), now)


def _at(seconds: int, now: float) -> Expiry:
    if seconds and seconds <= now:
        raise ValueError(f"expected {EXPECTED}; this one is in the past")
    return Expiry(at=seconds)


def _duration(seconds: float) -> str:
    for unit, length in _UNITS:
        if seconds % length == 0:
            return f"{seconds / length:.0f}{unit}"
    return f"{seconds:.9f}".rstrip("0").rstrip(".") + "s"
