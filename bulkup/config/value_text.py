"""Text of values and paths as messages repeat it."""

from __future__ import annotations

from typing import Any

_LONGEST_SHOWN = 80  # characters of a wrong value


def escape_surrogates(text: str) -> str:
    """Return text that can be encoded: the surrogates that stand for bytes outside UTF-8 are escaped."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def quote_value(value: Any) -> str:
    """Return a wrong value as a message repeats it: quoted, and cut at 80 characters."""
    return cut_text(escape_surrogates(repr(value)))


def cut_text(text: str, longest: int = _LONGEST_SHOWN) -> str:
    """Return a name or value as a message repeats it, cut at some characters."""
    return text if len(text) <= longest else text[:longest] + "..."
