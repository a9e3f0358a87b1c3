"""Formats numbers, sizes and durations for people."""

from __future__ import annotations

_UNITS = ("KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def count_text(number: int, noun: str = "") -> str:
    """Return a number with thousands separators and its noun in the right form: `1 file`, `2,000 files`."""
    if not noun:
        return f"{number:,}"
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def size_text(size: float) -> str:
    """Return a number of bytes in binary units: `999 B`, `1.5 GiB`. From 1,000 of a unit on, the next one is used."""
    if size < 1023.5:
        return f"{size:.0f} B"
    size /= 1024
    power = 0
    while size >= 999.95 and power < len(_UNITS) - 1:  # a little less than 1000, which would read "1,000.0"
        size /= 1024
        power += 1
    return f"{size:,.1f} {_UNITS[power]}"


def rate_text(bytes_per_second: float) -> str:
    """Return a speed in binary units: `11.8 MiB/s`."""
    return f"{size_text(bytes_per_second)}/s"


def files_rate_text(files_per_second: float) -> str:
    """Return a number of files per second: `0.4 files/s`, `1,204 files/s`."""
    return f"{files_per_second:,.1f} files/s" if files_per_second < 9.95 else f"{files_per_second:,.0f} files/s"


def duration_text(seconds: float) -> str:
    """Return a time span: `0.4 s`, `59 s`, `3 min 20 s`, `2 h 05 min`, `3 d 04 h`."""
    if seconds < 9.95:
        return f"{max(0.0, seconds):.1f} s"
    whole = round(seconds)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours:02} h"
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def short_time_text(seconds: float) -> str:
    """Return a time span that may be far shorter than a second: `0.4 ms`, `38 ms`, `2.1 s`."""
    if seconds < 0.00995:
        return f"{seconds * 1000:.1f} ms"
    return f"{seconds * 1000:.0f} ms" if seconds < 0.9995 else duration_text(seconds)


def percent_text(share: float) -> str:
    """Return a share in per cent: `0.4 %`, `38 %`."""
    return f"{share * 100:.1f} %" if share < 0.0995 else f"{share * 100:.0f} %"
