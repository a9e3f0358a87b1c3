"""Values that a path found in an answer, as the types that are needed. Pure."""

from __future__ import annotations

import math
from typing import Any

from bulkup.providers.http.answer_shape import shape_of


def not_found(found: Any, expected: str) -> str:
    """Return a text about a value of another kind than expected. It shows the shape of the value alone."""
    if found is None or found == "":
        return "found nothing"
    if isinstance(found, list):
        return f"found {len(found)} values, not {expected}"
    return f"found {shape_of(found)}, not {expected}"


def number_in(found: Any) -> float | None:
    """Return a finite number, also of a text that holds one."""
    if isinstance(found, bool) or not isinstance(found, int | float | str):
        return None
    try:
        number = float(found)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def said_in(found: Any) -> str:
    """Return the text of a reason or message that an expression found; empty if it is none."""
    if isinstance(found, dict):
        found = next((found[key] for key in ("message", "detail", "error", "code") if found.get(key)), None)
    if isinstance(found, list) and found:
        return said_in(found[0]) if not isinstance(found[0], list) else ""
    return found if isinstance(found, str) else str(found) if type(found) is int else ""


def pairs_in(found: Any) -> list[tuple[str, str]] | None:
    """Return names with their values, from a table or from a list of pairs. None if they are not all texts."""
    if isinstance(found, list):
        pairs = [_pair(part) for part in found]
    else:
        pairs = list(found.items()) if isinstance(found, dict) else [None]
    texts = [(pair[0], _text(pair[1])) for pair in pairs if pair is not None]
    known = [(name, value) for name, value in texts if value is not None]
    return known if len(known) == len(pairs) else None


def _pair(part: Any) -> tuple[str, Any] | None:
    """Return name and value of one member of a list: a list of both, an object, or a text such as `Name: value`."""
    if isinstance(part, str):
        before, colon, after = part.partition(":")
        return (before.strip(), after.strip()) if colon else None
    if isinstance(part, list) and len(part) == 2 and isinstance(part[0], str):
        return part[0], part[1]
    if isinstance(part, dict):
        name = next((part[key] for key in ("name", "key", "Name", "Key") if key in part), None)
        value = next((part[key] for key in ("value", "Value") if key in part), None)
        return (name, value) if isinstance(name, str) else None
    return None


def _text(value: Any) -> str | None:
    """Return the text of a value of a header or field. A list of one is taken for its only member, as in Go."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return str(value)
