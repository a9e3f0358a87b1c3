"""Where a value stands in an answer: JMESPath expressions, compiled once.

Most expressions only name keys, such as `data.upload_url`. They are followed without the library, which is imported for
any other.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from typing import Any

from bulkup.helpers.lazy_pattern import lazy_pattern

EXPECTED = "a JMESPath expression, such as items or data.upload_url"

_NAMES = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*")
# Texts in quotes, and runs of the characters that keys have. Of the runs, names, numbers and slices need no quotes.
_RUN = lazy_pattern(
    r"""(?P<quoted>"[^"]*"|'[^']*'|`[^`]*`)|(?P<run>[A-Za-z0-9_$@/+-](?:[A-Za-z0-9_$@:/+-]*[A-Za-z0-9_$@/+-])?)"""
)
_VALID_RUN = lazy_pattern(r"[A-Za-z_][A-Za-z0-9_]*|@|-?[0-9]*(?::-?[0-9]*){0,2}")
_SPACED_KEY = lazy_pattern(r"[A-Za-z0-9_$@:/+ -]+")
_LONGEST = 2048  # characters
_UNUSABLE = "the expression cannot be applied to it"


class JsonPathError(ValueError):
    """An expression cannot be applied to an answer. The text has no value of the answer."""


class JsonPath:
    """An expression. `find` returns the value that it selects in an answer, None if there is none.

    Raises `JsonPathError`, unless the expression only names keys: then it `always_applies`.
    """

    __slots__ = ("always_applies", "find", "text")

    find: Callable[[Any], Any]

    def __init__(self, text: str) -> None:
        self.text = text
        self.always_applies = text == "@" or _NAMES.fullmatch(text) is not None
        self.find = _finder(text)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"JsonPath({self.text!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, JsonPath) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __reduce__(self) -> tuple[type[JsonPath], tuple[str]]:
        return JsonPath, (self.text,)


def parse_json_path(value: object) -> JsonPath:
    """Return an expression. Raises ValueError, also for a function that does not exist."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"expected {EXPECTED}")
    if len(value) > _LONGEST:
        raise ValueError(f"expected {EXPECTED}, with at most {_LONGEST} characters")
    return JsonPath(value.strip())


def _finder(text: str) -> Callable[[Any], Any]:
    if text == "@":
        return lambda value: value
    if _NAMES.fullmatch(text):
        return _of_names(tuple(text.split(".")))
    return _of_library(text)


def _of_names(names: tuple[str, ...]) -> Callable[[Any], Any]:
    if len(names) == 1:
        (name,) = names
        return lambda value: value.get(name) if isinstance(value, dict) else None

    def find(value: Any) -> Any:
        for name in names:
            if not isinstance(value, dict):
                return None
            value = value.get(name)
        return value

    return find


def _of_library(text: str) -> Callable[[Any], Any]:
    import jmespath  # noqa: PLC0415  # only descriptions with such expressions need it
    from jmespath.exceptions import JMESPathError  # noqa: PLC0415  # the same
    from jmespath.functions import Functions  # noqa: PLC0415  # the same

    try:
        compiled = jmespath.compile(text)
    except (JMESPathError, ValueError, RecursionError) as error:
        raise ValueError(f"expected {EXPECTED}: {_place(error)}{_advice(text)}") from None
    if (unknown := _unknown_function(compiled.parsed, Functions.FUNCTION_TABLE)) is not None:
        from bulkup.config.suggestions import suggestion  # noqa: PLC0415  # the same

        near = suggestion(unknown, Functions.FUNCTION_TABLE)
        raise ValueError(f"expected {EXPECTED}: it has no function {unknown}()" + (f"; {near}" if near else ""))

    def find(value: Any) -> Any:
        try:
            return compiled.search(value)
        except (JMESPathError, ValueError, TypeError, RecursionError, ArithmeticError):
            pass  # the library's texts quote values
        raise JsonPathError(_UNUSABLE)

    return find


def _unknown_function(node: Any, known: Any) -> str | None:
    """Return the first function that does not exist. The library would notice it only in an answer."""
    if node["type"] == "function_expression" and node["value"] not in known:
        return str(node["value"])
    children = (_unknown_function(child, known) for child in node["children"] if isinstance(child, dict))
    return next((name for name in children if name is not None), None)


def _place(error: Exception) -> str:
    """Return where an expression is wrong. The library's own text has a drawing, and lists of its tokens."""
    position = getattr(error, "lex_position", None)
    return "it cannot be read" + (f" at column {position + 1}" if isinstance(position, int) else "")


def _advice(text: str) -> str:
    """Return how to write an expression some of whose keys need quotes; empty if quotes do not make it valid."""
    import jmespath  # noqa: PLC0415  # only descriptions with such expressions need it

    for quoted in (_RUN.sub(_quoted_run, text), ".".join(_quoted_key(key) for key in text.split("."))):
        if quoted != text:
            with contextlib.suppress(ValueError, RecursionError):
                jmespath.compile(quoted)
                return f"; a key with other characters than letters, digits and _ needs quotes: {_in_toml(quoted)}"
    return ""


def _quoted_run(found: re.Match[str]) -> str:
    return found[0] if found["quoted"] or _VALID_RUN.fullmatch(found["run"]) else f'"{found["run"]}"'


def _quoted_key(key: str) -> str:
    return f'"{key}"' if _SPACED_KEY.fullmatch(key) and not _VALID_RUN.fullmatch(key) else key


def _in_toml(text: str) -> str:
    """Return an expression as a value of TOML."""
    if "'" not in text:
        return f"'{text}'"
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
