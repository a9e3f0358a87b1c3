"""The values of settings as lines of text, for `bulkup config show` and for reports.

They come from `Settings.model_dump(mode="json")`, which has no secrets. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def value_lines(value: Any) -> list[str]:
    """Return the lines of a value: one for each member of a list, and for each entry of a table."""
    if value is None or value in ([], {}):
        return ["-"]
    if isinstance(value, bool):
        return ["true" if value else "false"]
    if isinstance(value, list):
        return [_line(part) for part in value]
    if isinstance(value, dict):
        return list(_entries(value))
    return [f"{value:g}" if isinstance(value, float) else str(value)]


def _entries(table: dict[str, Any], above: str = "") -> Iterator[str]:
    """Yield a line for each value of a table and of the tables in it; those that are not set are left out."""
    for key, part in table.items():
        if isinstance(part, dict):
            yield from _entries(part, f"{above}{key}.")
        elif part not in (None, []):
            yield f"{above}{key} = {_line(part)}"


def _line(part: Any) -> str:
    """Return one member of a list as text; for a rule, the keys that are set."""
    if isinstance(part, dict):
        return ", ".join(f"{key} = {value}" for key, value in part.items() if value is not None)
    return str(part)
