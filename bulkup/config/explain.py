"""Turns pydantic's errors into complaints: where the value stood, what was expected, and what was given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from bulkup.config.complaints import Complaint
from bulkup.config.kinds import printable
from bulkup.config.layers import Given
from bulkup.config.names import SECRETS, SETTINGS
from bulkup.config.settings import Settings

_LONGEST = 80  # characters of a wrong value that are shown


def complaints_of(error: ValidationError, given: Mapping[str, Given]) -> Iterator[Complaint]:
    """Yield one complaint for each setting that is wrong, even where a list has several wrong members."""
    seen: set[str] = set()
    for detail in error.errors(include_url=False, include_input=False):
        field = str(detail["loc"][0])
        name = SETTINGS[field]
        if name in seen:
            continue
        seen.add(name)
        expected = _expected(field, detail.get("ctx", {}).get("error"))
        yield Complaint(given[name].where, f"{name}: {expected}{_given(name, given[name].value)}")


def expects(field: str) -> str:
    """Return what a field takes, to complete the sentence "expected ..."."""
    extra = Settings.model_fields[field].json_schema_extra
    return str(extra["expects"]) if isinstance(extra, dict) else ""


def _expected(field: str, reason: object) -> str:
    return str(reason) if isinstance(reason, ValueError) else f"expected {expects(field)}"


def _given(name: str, value: Any) -> str:
    """A secret is never repeated, nor a URL with a part that may hold one."""
    if name in SECRETS or (name == "base_url" and not _harmless(value)):
        return ""
    shown = printable(repr(value))
    return f", not {shown if len(shown) <= _LONGEST else shown[:_LONGEST] + '...'}"


def _harmless(value: Any) -> bool:
    return isinstance(value, str) and not any(mark in value for mark in "@?#")
