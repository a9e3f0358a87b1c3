"""Makes a described service of the tables of a profile, with all errors at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from bulkup.config.checked_model import ModelField, ValidationError
from bulkup.config.declaration import form_of
from bulkup.config.described_service import TABLES, DescriptionError, HttpDescription, TableFault
from bulkup.config.description_check import faults_in
from bulkup.config.suggestions import suggestion
from bulkup.config.value_text import cut_text, escape_surrogates


def parse_description(value: object) -> HttpDescription:
    """Return a checked description. Takes a table, or its JSON text. Raises ValueError, or `DescriptionError`."""
    if isinstance(value, HttpDescription):
        return value
    if isinstance(value, str):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError as error:
            raise ValueError(f"expected a table, or its JSON; this is not JSON: {error}") from None
    if not isinstance(value, Mapping):
        raise ValueError("expected a table that describes a service")
    try:
        description = HttpDescription.model_validate({str(name): part for name, part in value.items()})
    except (ValidationError, TypeError) as error:
        raise DescriptionError(list(_faults_of(error))) from None
    if faults := list(faults_in(description)):
        raise DescriptionError(faults)
    return description


def _faults_of(error: ValidationError | TypeError) -> Iterator[TableFault]:
    """Yield a fault for each wrong key."""
    if not isinstance(error, ValidationError):
        yield TableFault((), "expected keys that are text")
        return
    for detail in error.errors(include_url=False):
        path = tuple(str(part) for part in detail["loc"])
        field = _field(path)
        if detail["type"] == "extra_forbidden":
            yield _unknown_key(path)
        elif detail["type"] == "missing":
            expects = f"expected {form_of(field.annotation).expects}" if field is not None else ""
            yield TableFault(path[:-1], f"{_shown(path[:-1])} has no {path[-1]}", expects)
        elif detail["type"] in ("typed_dict_type", "dict_type") or field is None:
            yield TableFault(path, f"{_shown(path)}: expected a table")
        else:
            reason = detail.get("ctx", {}).get("error")
            expects = str(reason) if isinstance(reason, ValueError) else f"expected {form_of(field.annotation).expects}"
            yield TableFault(path, f"{_shown(path)}: {expects}")


def _field(path: tuple[str, ...]) -> ModelField | None:
    model: Any = HttpDescription if len(path) == 1 else TABLES.get(path[0])
    return model.model_fields.get(path[-1]) if model is not None and len(path) <= 2 else None


def _unknown_key(path: tuple[str, ...]) -> TableFault:
    model: Any = HttpDescription if len(path) == 1 else TABLES[path[0]]
    known = model.model_fields
    near = suggestion(path[-1], known)
    table = "http" if len(path) == 1 else f"http.{path[0]}"
    what = f'{table} has an unknown key "{cut_text(escape_surrogates(path[-1]))}"'
    return TableFault(path, what, near or f"its keys are {', '.join(known)}")


def _shown(path: tuple[str, ...]) -> str:
    return ".".join(("http", *path))
