"""Read the lists that users write: CSV with a header, or JSON lines with one object each.

Each row has a path and values by name. Does no file access besides reading the open file: whether a path exists is
checked elsewhere.
"""

from __future__ import annotations

import base64
import binascii
import csv
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any, NamedTuple

import orjson

from bulkup.config.suggestions import suggestion
from bulkup.config.value_text import cut_text, escape_surrogates, quote_value
from bulkup.helpers.quick_dataclass import dataclass
from bulkup.helpers.utf8_mode import path_text

LONGEST_LINE = 65536  # bytes; a path in Base64 or with escapes has less than half
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"  # spreadsheets write it in front of UTF-8
_LONGEST_PATH_SHOWN = 500  # characters
_TOO_LONG = f"a line of more than {LONGEST_LINE} bytes; the rest of the file is not read"
_UTF8_HINT = "save the file as UTF-8; in a .jsonl file, path_b64 can hold a name that is not UTF-8"


class Row(NamedTuple):
    """One entry. `number` is that of its first line, from 1. Cells without a value are None or missing."""

    number: int
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class WrongLine:
    """A line that cannot be used, and the reason."""

    number: int
    what: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class ListForm:
    """The columns of a list, the first of which is `path`, and the number of those that every row needs.

    JSON objects have the same keys, and `path_b64` for a path that is not UTF-8. `example` is one such object.
    """

    columns: tuple[str, ...]
    needed: int
    example: str

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of an object in a JSON line."""
        return ("path", "path_b64", *self.columns[1:])


def read_csv_rows(file: IO[bytes], form: ListForm) -> Iterator[Row | WrongLine]:
    """Yield the rows below the header. Stop at a bad header, and at a line after which the rest cannot be parsed."""
    columns: Sequence[str] | None = None
    for number, row in _rows(file):
        if isinstance(row, WrongLine):
            yield row
            return
        if columns is None:
            columns, wrong = row, _header_errors(number, row, form)
            yield from wrong
            if wrong:
                return
        elif len(row) != len(columns):
            yield WrongLine(number, f"{len(row)} values, but the header has {len(columns)}")
        else:
            # In a table, an empty cell means that there is no value.
            yield Row(number, {name: text or None for name, text in zip(columns, row, strict=True)})
    if columns is None:
        yield WrongLine(1, "it is empty", f"expected a header row: {','.join(form.columns)}")


def read_json_rows(file: IO[bytes], form: ListForm) -> Iterator[Row | WrongLine]:
    """Yield one entry for each line, which holds one object."""
    number = 0
    lines = _without_byte_order_mark(file)
    while True:
        number += 1
        try:
            raw = next(lines, None)
        except _LongLineError:
            yield WrongLine(number, _TOO_LONG)
            return
        if raw is None:
            return
        if not raw.strip():
            continue
        try:
            values = orjson.loads(raw.strip().decode("utf-8"))
        except UnicodeDecodeError:
            yield WrongLine(number, "not UTF-8 text", _UTF8_HINT)
        except orjson.JSONDecodeError as error:
            yield WrongLine(number, f"not valid JSON: {error.msg} in column {error.colno}")
        else:
            yield _object(number, values, form)


def _rows(file: IO[bytes]) -> Iterator[tuple[int, list[str] | WrongLine]]:
    """Yield each row with the number of its first line, because a quoted value may contain line ends."""
    reader = csv.reader((raw.decode("utf-8") for raw in _without_byte_order_mark(file)), strict=True)
    while True:
        number = reader.line_num + 1
        try:
            row = next(reader, None)
        except UnicodeDecodeError:
            number = reader.line_num + 1
            yield number, WrongLine(number, "not UTF-8 text", _UTF8_HINT)
            return
        except _LongLineError:
            number = reader.line_num + 1
            yield number, WrongLine(number, _TOO_LONG)
            return
        except csv.Error as error:
            yield number, WrongLine(number, f"not valid CSV: {str(error).partition(' - ')[0]}")
            return
        if row is None:
            return
        if row:
            yield number, row


class _LongLineError(ValueError):
    """A line has more bytes than any entry can have."""


def _without_byte_order_mark(file: IO[bytes]) -> Iterator[bytes]:
    for index, raw in enumerate(iter(lambda: file.readline(LONGEST_LINE + 1), b"")):
        if len(raw) > LONGEST_LINE:
            raise _LongLineError
        yield raw.removeprefix(_BYTE_ORDER_MARK) if index == 0 else raw


def _header_errors(number: int, columns: Sequence[str], form: ListForm) -> list[WrongLine]:
    known, needed = f"the columns are {', '.join(form.columns)}", form.columns[: form.needed]
    wrong = [
        WrongLine(number, f"unknown column {_shown_column(name)}", suggestion(name, form.columns) or known)
        for name in columns
        if name not in form.columns
    ]
    wrong += [WrongLine(number, f'column "{name}" is given twice') for name in form.columns if columns.count(name) > 1]
    wrong += [WrongLine(number, f'there is no column "{name}"', known) for name in needed if name not in columns]
    return wrong


def _shown_column(name: str) -> str:
    # A list without a header begins with a row, whose URL may be a secret.
    if "://" in name:
        return "that looks like a URL: is there a header row?"
    return f'"{cut_text(escape_surrogates(name))}"'


def _object(number: int, values: Any, form: ListForm) -> Row | WrongLine:
    if not isinstance(values, dict):
        return WrongLine(number, "expected an object", f"such as {form.example}")
    for key in values:
        if key not in form.keys:
            known = f"the keys are {', '.join(form.keys)}"
            return WrongLine(number, f'unknown key "{cut_text(key)}"', suggestion(key, form.keys) or known)
    return Row(number, values)


def path_of(values: Mapping[str, Any]) -> bytes:
    """Return the path of a row. Raises ValueError."""
    text, encoded = values.get("path"), values.get("path_b64")
    if text is not None and encoded is not None:
        raise ValueError("path and path_b64 are both given; expected one")
    for name, value in (("path", text), ("path_b64", encoded)):
        if value is not None and not isinstance(value, str):
            raise ValueError(f"{name}: expected text, not {quote_value(value)}")
    path = _decoded(encoded) if encoded is not None else (text or "").encode("utf-8")
    if not path:
        raise ValueError("path is missing")
    return path


def _decoded(encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"path_b64: expected Base64, not {quote_value(encoded)}") from error


def path_within(root: bytes, name: bytes) -> bytes:
    """Return a path of a list relative to `root`. An absolute path may lead there through links, which are looked up.

    Raises ValueError for a path outside.
    """
    if b"\0" in name:
        raise ValueError(f"path {quoted_path(name)} contains a NUL")
    path = os.path.relpath(name, root) if os.path.isabs(name) else os.path.normpath(name)
    if os.path.isabs(name) and _is_outside(path):
        folder, last = os.path.split(os.path.normpath(name))
        path = os.path.relpath(os.path.join(os.path.realpath(folder), last), root)
    if _is_outside(path):
        raise ValueError(f"path {quoted_path(name)} is outside the source {quoted_path(root)}")
    return path


def _is_outside(path: bytes) -> bool:
    return path == b".." or path.startswith(b"../")


def quoted_path(path: bytes) -> str:
    """Return a path as a message repeats it."""
    return cut_text(escape_surrogates(repr(path_text(path))), _LONGEST_PATH_SHOWN)
