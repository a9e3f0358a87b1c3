"""Sizes and durations as people write them, and the forms of other values that few runs have."""

from __future__ import annotations

import math
import re
from decimal import Decimal

from bulkup.helpers.lazy_pattern import lazy_pattern

SIZE = "a size in bytes, such as 4096, 512k, 10M or 1GiB (multiples of 1024)"
TIME_OF_DAY = "a local time of day, such as 06:00 or 23:30"
BANDWIDTH = 'bytes per second with a unit such as 20M, "off", or a timetable such as "Mon-Fri 08:00,2M 18:00,off"'
DURATION = "a duration, such as 30 or 30s, 5m, 1h30m or 1d"

_SIZE = lazy_pattern(r"([0-9]{1,18}(?:\.[0-9]{1,9})?) ?(?:([kmgt])(?:i?b)?|b)?", re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}

_NUMBER = r"[0-9]{1,9}(?:\.[0-9]{1,9})?"
_DURATION = lazy_pattern(rf"({_NUMBER}) ?([smhd]?)")
_SEVERAL_UNITS = lazy_pattern(rf"(?:([0-9]{{1,9}})d)? ?(?:([0-9]{{1,9}})h)? ?(?:([0-9]{{1,9}})m)? ?(?:({_NUMBER})s)?")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_LONGEST = 10**9  # seconds, over 30 years: a longer one is a mistake, and some timers overflow


def parse_size(value: object) -> int:
    """Return bytes for a whole number or text. k, M, G and T are powers of 1024, with or without `B` or `iB`.

    A fraction of a byte is dropped. Raises ValueError.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"expected {SIZE}")
    number, unit = match.groups(default="")
    return int(Decimal(number) * 1024 ** _POWERS[unit.lower()])


def parse_duration(value: object) -> float:
    """Return seconds for a number, or for text with s, m, h or d, also several of them as in `1h30m`.

    Raises ValueError.
    """
    seconds = _seconds(value)
    if not 0 <= seconds <= _LONGEST:  # also false for NaN
        raise ValueError(f"expected {DURATION}")
    return seconds


def _seconds(value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    text = value.strip() if isinstance(value, str) else ""
    if (match := _DURATION.fullmatch(text)) is not None:
        number, unit = match.groups()
        return float(Decimal(number) * _SECONDS[unit])
    if not text or (match := _SEVERAL_UNITS.fullmatch(text)) is None:
        return math.nan
    return float(
        sum(Decimal(number or 0) * _SECONDS[unit] for number, unit in zip(match.groups(), "dhms", strict=True))
    )
