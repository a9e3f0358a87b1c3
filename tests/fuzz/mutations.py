"""Mutations of JSON values. Random bytes would almost always be rejected as invalid JSON."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

_LEAVES: list[Any] = [
    *(None, True, False, 0, -1, 1, 2**53, 2**63, 2**64, 1e308, -1e308, 0.5, [], {}, [[]], {"a": {}}),
    *("", " ", "\x00", "\r\n", "\ud7ff", "\u202e", "é", "a" * 300, "${filename}", "../..", "0", "-1", "1e999", "NaN"),
    *(
        "http://h/",
        "https://h/",
        "https://h:0/",
        "https://u@h/",
        "//h/",
        "https://[::1]/",
        "ftp://h/",
        "https://h/?Expires=1",
    ),
    *("2030-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2030-01-01", "eyJ9"),
]
_NAMES = ["id", "url", "items", "data", "errors", "error", "message", "upload", "file", "status", "expires_at", "f1"]


def json_mutated(data: bytes, chance: random.Random) -> bytes | None:
    """Return an answer with one changed JSON value, None if the bytes contain no JSON."""
    head, gap, body = data.partition(b"\n\n")
    if not gap:
        head, body = b"", data
    try:
        changed = json.dumps(_changed(json.loads(body), chance), ensure_ascii=chance.random() < 0.5)
    except (ValueError, RecursionError):  # no JSON, or the changed value is nested too deeply or contains itself
        return None
    return head + gap + changed.encode("utf-8", "replace")


def _changed(value: Any, chance: random.Random) -> Any:
    places = [(holder, key) for holder, key in _places(value)]
    if not places:
        return chance.choice(_LEAVES)
    holder, key = chance.choice(places)
    match chance.randrange(7):
        case 0:
            del holder[key]
        case 1:
            holder[key] = _nested(holder[key], chance)
        case 2:
            other, its_key = chance.choice(places)
            holder[key] = other[its_key]
        case 3 if isinstance(holder, dict):
            holder[chance.choice(_NAMES)] = holder[key]
        case 4 if isinstance(holder[key], str):
            holder[key] = _spliced(holder[key], chance)
        case _:
            holder[key] = chance.choice(_LEAVES)
    return value


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every container and key below a value, without recursion, because the value may be nested deeply."""
    waiting = [value]
    while waiting:
        holder = waiting.pop()
        for key in _keys(holder):
            yield holder, key
            waiting.append(holder[key])


def _keys(holder: Any) -> list[Any]:
    if isinstance(holder, dict):
        return list(holder)
    return list(range(len(holder))) if isinstance(holder, list) else []


def _nested(value: Any, chance: random.Random) -> Any:
    for _ in range(chance.choice([1, 2, 16, 200, 980, 1010])):
        value = [value] if chance.random() < 0.5 else {"a": value}
    return value


def _spliced(text: str, chance: random.Random) -> str:
    at, piece = chance.randrange(len(text) + 1), chance.choice(_LEAVES)
    added = piece if isinstance(piece, str) else chr(chance.randrange(0xD800))
    return text[:at] + added + text[at + chance.randrange(3) :]
