"""Line numbers for the keys of a TOML text, which `tomllib` does not provide.

The text was accepted by `tomllib`, so there are no errors to find. The search goes from statement to statement and
skips whole values. Text inside a string, an array or a comment is therefore never taken for a key.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from bulkup.helpers.lazy_pattern import lazy_pattern

_PART = r"""(?:[A-Za-z0-9_-]+|"(?:\\.|[^"\\\n])*"|'[^'\n]*')"""
_DOTTED = rf"{_PART}(?:[ \t]*\.[ \t]*{_PART})*"
_HEADER = lazy_pattern(rf"[ \t]*(?P<open>\[\[?)[ \t]*(?P<key>{_DOTTED})[ \t]*\]\]?")
_ASSIGNMENT = lazy_pattern(rf"[ \t]*(?P<key>{_DOTTED})[ \t]*=")
_TOKEN = lazy_pattern(
    r'''"""(?:\\.|[^\\])*?"""{1,3}'''  # a multi-line string may end with one or two quotes of its content
    r"""|'''.*?'''{1,3}"""
    r'''|"(?:\\.|[^"\\\n])*"'''
    r"""|'[^'\n]*'"""
    r"""|\#[^\n]*|[\[{]|[\]}]|\n|[^"'\#\[\]{}\n]+""",
    re.DOTALL,
)

Path = tuple[str | int, ...]
Lines = Mapping[Path, int]


def line_numbers(text: str) -> Lines:
    """Return the line, counted from 1, of every table and key that has a line of its own, by its full path.

    In the path of an array table (`[[rules]]`), its index, counted from 0, follows the name of the array.
    """
    lines: dict[Path, int] = {}
    arrays: dict[Path, int] = {}
    table: Path = ()
    for number, match in _statements(text):
        path = _unquoted(match["key"])
        if "open" in match.groupdict():
            full = table = _of_table(path, arrays, opens=match["open"] == "[[")
        else:
            full = table + path
        for length in range(1, len(full) + 1):
            lines.setdefault(full[:length], number)
    return lines


def line_of(lines: Lines, path: Path) -> int | None:
    """Return the line of `path`, else that of the nearest table or key that contains it."""
    for length in range(len(path), 0, -1):
        if path[:length] in lines:
            return lines[path[:length]]
    return None


def _of_table(path: Path, arrays: dict[Path, int], *, opens: bool) -> Path:
    """Return the full path of a header. `arrays` holds the index of the last table of each array."""
    if opens:
        arrays[path] = arrays.get(path, -1) + 1
    full: Path = ()
    for length in range(1, len(path) + 1):
        full += path[length - 1 : length]
        if path[:length] in arrays:
            full += (arrays[path[:length]],)
    return full


def _statements(text: str) -> Iterator[tuple[int, re.Match[str]]]:
    """Yield the line and match of every header and assignment."""
    position, number = 0, 1
    while position < len(text):
        match = _HEADER.match(text, position) or _ASSIGNMENT.match(text, position)
        if match:
            yield number, match
        end = _end_of_statement(text, match.end() if match else position)
        number += text.count("\n", position, end)
        position = end


def _end_of_statement(text: str, position: int) -> int:
    """Return the start of the next statement: the position after the first line end outside brackets and strings."""
    depth = 0
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None:  # impossible in accepted text; skip one character
            position += 1
            continue
        position = token.end()
        if token[0] in "[{":
            depth += 1
        elif token[0] in "]}":
            depth -= 1
        elif token[0] == "\n" and depth == 0:
            break
    return position


def _unquoted(dotted: str) -> Path:
    """Return the parts of a dotted key. `tomllib` parses it, so escapes and quotes have exactly the same meaning."""
    path: list[str] = []
    value: Any = tomllib.loads(f"{dotted} = 0")
    while isinstance(value, dict):
        (name, value), *_ = value.items()
        path.append(name)
    return tuple(path)
