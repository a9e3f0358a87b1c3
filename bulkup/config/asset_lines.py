"""Parse the lines of an asset map, CSV or JSON. Does no file access: whether a file exists is checked elsewhere."""

from __future__ import annotations

import base64
import binascii
import csv
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any

import orjson

from bulkup.config.asset_categories import ASSET_TYPES, wrong_category
from bulkup.config.assets import CATEGORIES, ONE_CATEGORY, ONE_TYPE, Asset
from bulkup.config.setting_types import IDENTIFIER, IDENTIFIER_PATTERN
from bulkup.config.suggestions import suggestion
from bulkup.config.value_text import cut_text, escape_surrogates, quote_value
from bulkup.helpers.quick_dataclass import dataclass

COLUMNS = ("path", "asset_id", "asset_file_category", "name", "asset_type")
KEYS = ("path", "path_b64", *COLUMNS[1:])

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"  # spreadsheets write it in front of UTF-8
_IDENTIFIER = re.compile(IDENTIFIER_PATTERN)
_NAME = re.compile(r"[^\x00-\x1f\x7f]{1,256}")
_CATEGORIES = {name: name for name in CATEGORIES}  # all lines share one string object
_TYPES = {name: name for name in ASSET_TYPES}
LONGEST_LINE = 65536  # bytes; a path in Base64 or with escapes has less than half
_TOO_LONG = f"a line of more than {LONGEST_LINE} bytes; the rest of the file is not read"
_UTF8_HINT = "save the file as UTF-8; in a .jsonl file, path_b64 can hold a name that is not UTF-8"


@dataclass(frozen=True, slots=True)
class AssetLine:
    """One entry. `number` counts lines from 1, `path` is the text of the file."""

    number: int
    path: bytes
    asset: Asset


@dataclass(frozen=True, slots=True)
class WrongLine:
    """A line that cannot be used, and the reason."""

    number: int
    what: str
    hint: str = ""


def read_csv_lines(file: IO[bytes]) -> Iterator[AssetLine | WrongLine]:
    """Yield the rows below the header. Stop at a bad header, and at a line after which the rest cannot be parsed."""
    columns: Sequence[str] | None = None
    for number, row in _rows(file):
        if isinstance(row, WrongLine):
            yield row
            return
        if columns is None:
            columns, wrong = row, _header_errors(number, row)
            yield from wrong
            if wrong:
                return
        elif len(row) != len(columns):
            yield WrongLine(number, f"{len(row)} values, but the header has {len(columns)}")
        else:
            # In a table, an empty cell means that there is no value.
            yield _entry(number, {name: text or None for name, text in zip(columns, row, strict=True)})
    if columns is None:
        yield WrongLine(1, "it is empty", f"expected a header row: {','.join(COLUMNS)}")


def read_json_lines(file: IO[bytes]) -> Iterator[AssetLine | WrongLine]:
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
            yield _object(number, values)


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


def _header_errors(number: int, columns: Sequence[str]) -> list[WrongLine]:
    known = f"the columns are {', '.join(COLUMNS)}"
    wrong = [
        WrongLine(number, f'unknown column "{cut_text(escape_surrogates(name))}"', suggestion(name, COLUMNS) or known)
        for name in columns
        if name not in COLUMNS
    ]
    wrong += [WrongLine(number, f'column "{name}" is given twice') for name in COLUMNS if columns.count(name) > 1]
    wrong += [WrongLine(number, f'there is no column "{name}"', known) for name in COLUMNS[:2] if name not in columns]
    return wrong


def _object(number: int, values: Any) -> AssetLine | WrongLine:
    if not isinstance(values, dict):
        return WrongLine(number, "expected an object", 'such as {"path": "a.mp4", "asset_id": "..."}')
    for key in values:
        if key not in KEYS:
            known = f"the keys are {', '.join(KEYS)}"
            return WrongLine(number, f'unknown key "{cut_text(key)}"', suggestion(key, KEYS) or known)
    return _entry(number, values)


def _entry(number: int, values: Mapping[str, Any]) -> AssetLine | WrongLine:
    try:
        return AssetLine(number, _path(values), _asset(values))
    except ValueError as error:
        return WrongLine(number, str(error))


def _path(values: Mapping[str, Any]) -> bytes:
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


def _asset(values: Mapping[str, Any]) -> Asset:
    asset_id, category, name, asset_type = (values.get(key) for key in COLUMNS[1:])
    if asset_id is None:
        raise ValueError("asset_id is missing")
    if not isinstance(asset_id, str) or not _IDENTIFIER.fullmatch(asset_id):
        raise ValueError(f"asset_id: expected {IDENTIFIER}, not {quote_value(asset_id)}")
    if category is not None and (not isinstance(category, str) or category not in _CATEGORIES):
        raise ValueError(f"asset_file_category: expected {ONE_CATEGORY}, not {quote_value(category)}")
    if asset_type is not None and (not isinstance(asset_type, str) or asset_type not in _TYPES):
        raise ValueError(f"asset_type: expected {ONE_TYPE}, not {quote_value(asset_type)}")
    if category is not None and (reason := wrong_category(asset_type, category)) is not None:
        raise ValueError(f"asset_file_category: {reason}")
    if name is not None and (not isinstance(name, str) or not _NAME.fullmatch(name)):
        raise ValueError(
            f"name: expected 1 to 256 characters, none of them a control character, not {quote_value(name)}"
        )
    return Asset(sys.intern(asset_id), category and _CATEGORIES[category], name, asset_type and _TYPES[asset_type])
