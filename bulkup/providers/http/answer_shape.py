"""The shape of an answer, for messages: its keys and the types of its values, never the values. Pure."""

from __future__ import annotations

import itertools
import re
from typing import Any

_DEEPEST = 4
_MOST_KEYS = 12
_LONGEST = 400  # characters
_KEY = re.compile(r"[A-Za-z0-9_$@:-][A-Za-z0-9_$@:. -]{0,31}")  # longer ones, and those with slashes, may be data


def shape_of(value: Any, depth: int = 0) -> str:
    """Return a text such as `{items: [2 x {url: text, id: number}]}`."""
    text = _shape(value, depth)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _shape(value: Any, depth: int) -> str:
    if isinstance(value, dict):
        return "{" + _of_keys(value, depth) + "}"
    if isinstance(value, list):
        inside = _shape(value[0], depth + 1) if value and depth < _DEEPEST else ""
        return f"[{len(value)} x {inside}]" if inside else "[]" if not value else f"[{len(value)}]"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    return "text" if isinstance(value, str) else "number"


def _of_keys(value: dict[str, Any], depth: int) -> str:
    if depth >= _DEEPEST:
        return "..." if value else ""
    shown = [
        f"{key if _KEY.fullmatch(key) else '(a key)'}: {_shape(part, depth + 1)}"
        for key, part in itertools.islice(value.items(), _MOST_KEYS)
    ]
    return ", ".join(shown + (["..."] if len(value) > _MOST_KEYS else []))
