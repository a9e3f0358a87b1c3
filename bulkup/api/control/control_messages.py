"""The requests to a run, one JSON object in a line. Pure.

    {"do": "progress"}                            the progress once
    {"do": "watch", "every": 1.0}                 the progress again and again, until the client closes
    {"do": "pause"}, {"do": "resume"}
    {"do": "stop"}, {"do": "stop", "now": true}   as Ctrl-C once, or twice
    {"do": "bwlimit", "value": "20M"}             a rate, a timetable, or null for no limit
    {"do": "concurrency", "value": 32}            a number or "auto"
    {"do": "settings"}                            the settings, without secrets

The answer is one line: `{"ok": true, ...}` or `{"ok": false, "error": "...", "hint": "..."}`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import orjson

from bulkup.config.value_text import quote_value
from bulkup.errors import UsageError
from bulkup.helpers.quick_dataclass import dataclass

Action = Literal["progress", "watch", "pause", "resume", "stop", "bwlimit", "concurrency", "settings"]
_FIELDS: Mapping[str, frozenset[str]] = {
    "progress": frozenset(),
    "watch": frozenset({"every"}),
    "pause": frozenset(),
    "resume": frozenset(),
    "stop": frozenset({"now"}),
    "bwlimit": frozenset({"value"}),
    "concurrency": frozenset({"value"}),
    "settings": frozenset(),
}
_SHORTEST, _LONGEST = 0.1, 3600.0  # seconds between two lines of a watch


@dataclass(frozen=True, slots=True)
class Request:
    """A request whose fields have the right types. `every` is in seconds, `value` is that of the limit."""

    do: str
    every: float = 1.0
    now: bool = False
    value: str | int | None = None


def parse_request(line: bytes) -> Request:
    """Return the request in a line. Raises `UsageError` for anything that is none."""
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise UsageError("expected one JSON object in a line") from error
    if not isinstance(found, dict):
        raise UsageError("expected a JSON object")
    do = found.pop("do", None)
    if not isinstance(do, str) or do not in _FIELDS:
        raise UsageError(f"do: expected {', '.join(_FIELDS)}, not {quote_value(do)}")
    if unknown := found.keys() - _FIELDS[do]:
        raise UsageError(f"{do} has no field {quote_value(min(unknown))}")
    if "value" in _FIELDS[do] and "value" not in found:  # null removes a limit, so nothing stands for it
        raise UsageError(f"{do} needs a value")
    return Request(do, **{name: _checked(do, name, value) for name, value in found.items()})


def request_line(do: Action, fields: Mapping[str, Any]) -> bytes:
    """Return a request as a line."""
    return orjson.dumps({"do": do, **fields}) + b"\n"


def refusal(error: UsageError) -> dict[str, Any]:
    """Return the answer to a request that cannot be carried out."""
    return {"ok": False, "error": error.message, **({"hint": error.hint} if error.hint else {})}


def _checked(do: str, name: str, value: Any) -> Any:
    if name == "every":
        if isinstance(value, bool) or not isinstance(value, int | float) or not _SHORTEST <= value <= _LONGEST:
            raise UsageError(f"every: expected seconds from {_SHORTEST} to {_LONGEST:.0f}, not {quote_value(value)}")
        return float(value)
    if name == "now":
        if not isinstance(value, bool):
            raise UsageError(f"now: expected true or false, not {quote_value(value)}")
        return value
    if isinstance(value, bool) or not isinstance(value, str | int | None):
        raise UsageError(f"value: expected a number or text, not {quote_value(value)}")
    if do == "concurrency" and value is None:
        raise UsageError("value: expected a number or auto")
    return value
