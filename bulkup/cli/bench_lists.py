"""Lists of numbers as values of options: `4,16,64`."""

from __future__ import annotations

from bulkup.errors import UsageError
from bulkup.reports.bench_trials import Concurrency

_AUTO = "auto"


def parse_numbers(option: str, text: str | None, most: int) -> tuple[int, ...] | None:
    """Return the numbers of a list, None if none is given. Raises UsageError for a number below 1 or above `most`."""
    if text is None:
        return None
    return tuple(_number(option, part, text, most) for part in text.split(","))


def parse_concurrency(option: str, text: str | None, most: int) -> tuple[Concurrency, ...] | None:
    """Return the entries of a list that may also contain `auto`."""
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    return tuple("auto" if part == _AUTO else _number(option, part, text, most) for part in parts)


def parse_whole_number(option: str, text: str, least: int, most: int) -> int:
    """Return a number. Raises UsageError if the text is not a number, or outside of these bounds."""
    number = _whole(text)
    if number is None or not least <= number <= most:
        raise UsageError(f"{option}: expected a whole number from {least} to {most}, not {text}")
    return number


def _number(option: str, part: str, text: str, most: int) -> int:
    number = _whole(part)
    if number is None or not 1 <= number <= most:
        raise UsageError(f"{option}: expected whole numbers from 1 to {most} with commas between them, not {text}")
    return number


def _whole(text: str) -> int | None:
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
