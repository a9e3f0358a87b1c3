"""Read the entries of an asset map from the rows of a list. Whether a file exists is checked elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import IO, Any

from bulkup.config.asset_categories import ASSET_TYPES, wrong_category
from bulkup.config.assets import CATEGORIES, ONE_CATEGORY, ONE_TYPE, Asset
from bulkup.config.list_rows import ListForm, Row, WrongLine, path_of, read_csv_rows, read_json_rows
from bulkup.config.setting_types import IDENTIFIER, IDENTIFIER_PATTERN
from bulkup.config.value_text import quote_value
from bulkup.helpers.lazy_pattern import lazy_pattern
from bulkup.helpers.quick_dataclass import dataclass

FORM = ListForm(
    ("path", "asset_id", "asset_file_category", "name", "asset_type"),
    needed=2,
    example='{"path": "a.mp4", "asset_id": "..."}',
)

_IDENTIFIER = lazy_pattern(IDENTIFIER_PATTERN)
_NAME = lazy_pattern(r"[^\x00-\x1f\x7f]{1,256}")
_CATEGORIES = {name: name for name in CATEGORIES}  # all lines share one string object
_TYPES = {name: name for name in ASSET_TYPES}


@dataclass(frozen=True, slots=True)
class AssetLine:
    """One entry. `number` counts lines from 1, `path` is the text of the file."""

    number: int
    path: bytes
    asset: Asset


def read_csv_lines(file: IO[bytes]) -> Iterator[AssetLine | WrongLine]:
    """Yield the rows below the header. Stop at a bad header, and at a line after which the rest cannot be parsed."""
    return map(_entry, read_csv_rows(file, FORM))


def read_json_lines(file: IO[bytes]) -> Iterator[AssetLine | WrongLine]:
    """Yield one entry for each line, which holds one object."""
    return map(_entry, read_json_rows(file, FORM))


def _entry(row: Row | WrongLine) -> AssetLine | WrongLine:
    if isinstance(row, WrongLine):
        return row
    try:
        return AssetLine(row.number, path_of(row.values), _asset(row.values))
    except ValueError as error:
        return WrongLine(row.number, str(error))


def _asset(values: Mapping[str, Any]) -> Asset:
    asset_id, category, name, asset_type = (values.get(key) for key in FORM.columns[1:])
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
