"""The setting `extensions`: types of media by file name extension, as people write them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bulkup.helpers.lazy_pattern import lazy_pattern

TYPES = ("video", "audio", "image", "gif")
NONE = "none"  # the extension is not accepted
EXPECTED = f"extensions with their type, such as mpeg=video; a type is {', '.join(TYPES)}, or {NONE} to leave files out"

_EXTENSION = lazy_pattern(r"[a-z0-9]{1,32}")


def is_extension(text: str) -> bool:
    """Return whether the setting can name this extension: the service's API accepts no other characters."""
    return _EXTENSION.fullmatch(text) is not None


def parse_extensions(value: object) -> Mapping[str, str]:
    """Return the type of each extension. Takes a mapping, or texts such as `mpeg=video`. Raises ValueError."""
    types: dict[str, str] = {}
    for name, kind in _pairs(value):
        extension = _extension(name)
        if extension in types:
            raise ValueError(f"expected {EXPECTED}: {extension} is given twice")
        types[extension] = _type(kind)
    return types


def _pairs(value: object) -> Iterable[tuple[object, object]]:
    if isinstance(value, Mapping):
        return value.items()
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list | tuple) or not all(isinstance(text, str) and "=" in text for text in value):
        raise ValueError(f"expected {EXPECTED}")
    return [(name.strip(), kind.strip()) for name, _, kind in (text.partition("=") for text in value)]


def _extension(name: object) -> str:
    extension = name.lower().removeprefix(".") if isinstance(name, str) else ""
    if not is_extension(extension):
        raise ValueError(f"expected {EXPECTED}; an extension has 1 to 32 letters and digits")
    return extension


def _type(kind: object) -> str:
    if kind is False:  # `mpeg = false` of a profile
        return NONE
    if kind not in (*TYPES, NONE):
        raise ValueError(f"expected {EXPECTED}")
    return str(kind)
