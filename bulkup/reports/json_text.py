"""JSON text that is always valid and never contains a secret, whatever the names of files and servers are."""

from __future__ import annotations

import base64
import datetime as dt
import re
from collections.abc import Mapping
from typing import Any

import orjson

from bulkup.helpers.lazy_pattern import lazy_pattern
from bulkup.model.states import DONE, FileState

_SURROGATE = lazy_pattern("[\ud800-\udfff]")
# The UTF-8 of the characters that `safe_text` escapes: DEL, C1, bidi marks and overrides, line and paragraph
# separators. JSON itself escapes C0. All of them occur only in strings.
_UNSAFE = lazy_pattern(rb"\x7f|\xc2[\x80-\x9f]|\xd8\x9c|\xe2\x80[\x8e\x8f\xa8-\xae]|\xe2\x81[\xa6-\xa9]")
# Dataclasses are converted by `str`, which masks secrets. orjson would convert their fields, and fail for surrogates.
_OPTIONS = orjson.OPT_NON_STR_KEYS | orjson.OPT_PASSTHROUGH_DATACLASS
_INTERNAL = frozenset({FileState.ASKED, FileState.TICKETED, FileState.STORED})


def unicode_text(text: str) -> str:
    """Return `text` with U+FFFD in place of surrogates, which UTF-8 and JSON cannot represent."""
    return _SURROGATE.sub("\ufffd", text)


def dumps(value: Any) -> bytes:
    """Return `value` as one line of JSON without a newline, with terminal control characters escaped.

    Secrets become their mask, bytes become text, and other unknown values their `str`. Raises `orjson.JSONEncodeError`,
    a TypeError, only for values nested deeper than 254 levels.
    """
    try:
        text = orjson.dumps(value, default=_plain, option=_OPTIONS)
    except orjson.JSONEncodeError:
        # Cleaning copies the whole value, so it is done only for the rare value that needs it.
        text = orjson.dumps(_clean(value), default=_plain, option=_OPTIONS)
    return _UNSAFE.sub(_escaped, text)


def _escaped(match: re.Match[bytes]) -> bytes:
    return b"\\u%04x" % ord(match.group().decode())


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return _clean(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return unicode_text(str(value))


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return unicode_text(value)
    if isinstance(value, Mapping):
        return {unicode_text(str(key)): _clean(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean(each) for each in value]
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return str(value)
    return value


def path_fields(name: str, path: bytes | None) -> dict[str, str | None]:
    """Return `{name: text}`, and `NAME_b64` with the exact bytes if the path is not UTF-8.

    The text then has U+FFFD in place of the invalid bytes. None stays None.
    """
    if path is None:
        return {name: None}
    try:
        return {name: path.decode("utf-8")}
    except UnicodeDecodeError:
        exact = base64.b64encode(path).decode("ascii")
        return {name: path.decode("utf-8", "replace"), f"{name}_b64": exact}


def time_text(unix: float | None) -> str | None:
    """Return Unix seconds as RFC 3339 in UTC with milliseconds, None for None and for years after 9999."""
    if unix is None:
        return None
    try:
        moment = dt.datetime.fromtimestamp(unix, dt.UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def public_state(state: FileState) -> str:
    """Return the state for users: files in progress (asked, ticketed, stored) are `pending`."""
    return FileState.PENDING.value if state in _INTERNAL else state.value


def public_remote_id(state: FileState, remote_id: str | None) -> str | None:
    """Return the remote id of an uploaded file, None for any other, whose id is of no use."""
    return remote_id if state in DONE else None
