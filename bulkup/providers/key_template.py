"""Object keys at services that let the client name its objects. The template is checked in `config.object_key`."""

from __future__ import annotations

import datetime as dt
import functools
import os
import string
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bulkup.providers.base import FileSpec

_MAX_KEY = 1024  # bytes, the limit of S3
_DOTS = frozenset({"", ".", ".."})


class KeyTemplate:
    """A checked template. Calling it returns the key of a file, with bytes that are not UTF-8 as surrogates.

    All keys begin with `prefix`.
    """

    def __init__(self, template: str) -> None:
        # Most templates are a prefix and the path.
        before, path, after = template.partition("{path}")
        plain = path and not any(brace in before + after for brace in "{}")
        self._around = (before, after) if plain else None
        self._template = template
        self.prefix = _prefix(template)

    def __call__(self, spec: FileSpec) -> str:
        """Return the key of a file."""
        if self._around is not None:
            return f"{self._around[0]}{spec.path}{self._around[1]}"
        stem, extension = os.path.splitext(spec.name)
        date = _date(int(spec.modified // 86_400))
        return self._template.format(path=spec.path, name=spec.name, stem=stem, ext=extension[1:], date=date)


def _prefix(template: str) -> str:
    """Return the text that all keys begin with."""
    text, field, _, _ = next(iter(string.Formatter().parse(template)))
    return text if field is not None else ""


def fault_of_key(key: str, service: str) -> str | None:
    """Return why a service cannot have an object of this key, or None."""
    if len(key) * 4 > _MAX_KEY or not key.isascii():
        if not is_utf8(key):
            return f"its name is not UTF-8, and {service}'s object keys are"
        size = len(key.encode())
        if size > _MAX_KEY:
            return f"its object key has {size} bytes, and {service} accepts at most {_MAX_KEY}"
    if not _DOTS.isdisjoint(key.split("/")):
        return "its object key has a part that is empty, `.` or `..`"
    return None


def is_utf8(text: str) -> bool:
    """Return whether a text can be encoded."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


@functools.lru_cache(maxsize=256)
def _date(day: int) -> str:
    return (dt.date(1970, 1, 1) + dt.timedelta(days=day)).isoformat()
