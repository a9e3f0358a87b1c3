"""The template for object names at the service. It is checked when settings are loaded, before a run starts."""

from __future__ import annotations

import string

from bulkup.helpers.lazy_pattern import lazy_pattern

PLACEHOLDERS = ("path", "name", "stem", "ext", "date")
EXPECTED = f"a template of text and {', '.join(f'{{{name}}}' for name in PLACEHOLDERS)}"

_TELLING = ("path", "name", "stem")
_CONTROL = lazy_pattern(r"[\x00-\x1f\x7f-\x9f]")


def check_object_key(value: object) -> str:
    """Return the template. `str.format` with the PLACEHOLDERS as keywords fills it in without errors.

    `{{` and `}}` stand for braces. Raises ValueError, also for a template that gives every file the same key.
    """
    if not isinstance(value, str) or not value:
        raise _wrong("it is empty" if value == "" else "it is not text")
    if value.startswith("/"):
        raise _wrong('it begins with "/"')
    if any(part in ("", ".", "..") for part in value.split("/")):
        raise _wrong('a part between its "/" is empty, or consists only of dots')
    if _CONTROL.search(value):
        raise _wrong("it contains a control character")
    if not _is_unicode(value):
        raise _wrong("it is not UTF-8 text")
    if not set(_placeholders(value)).intersection(_TELLING):
        raise _wrong("without {path}, {name} or {stem} many files would get the same key")
    return value


def _placeholders(template: str) -> list[str]:
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError:
        raise _wrong("its braces are not balanced; a brace itself is written {{ or }}") from None
    for _, name, form, conversion in parts:
        if name is not None and (form or conversion):
            raise _wrong("a placeholder is a name in braces and nothing else, without : or !")
        if name is not None and name not in PLACEHOLDERS:
            raise _wrong("it has an unknown placeholder")
    return [name for _, name, _, _ in parts if name is not None]


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _wrong(why: str) -> ValueError:
    return ValueError(f"expected {EXPECTED}: {why}")
