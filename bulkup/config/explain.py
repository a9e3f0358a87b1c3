"""Turns pydantic's errors into complaints: where the value stood, what was expected, and what was given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from bulkup.config.assets import AssetRule
from bulkup.config.complaints import Complaint
from bulkup.config.kinds import printable, shown
from bulkup.config.layers import Given
from bulkup.config.names import SETTINGS, TABLES, URLS, suggestion
from bulkup.config.secret_names import SECRETS
from bulkup.config.settings import Settings


def complaints_of(error: ValidationError, given: Mapping[str, Given]) -> Iterator[Complaint]:
    """Yield one complaint for each setting that is wrong, even where a list has several wrong members; of tables one
    for each key."""
    seen: set[str] = set()
    for detail in error.errors(include_url=False):
        field, *path = detail["loc"]
        name = SETTINGS[str(field)]
        if name in TABLES and path:
            yield _about_rule(name, path, detail, given[name])
        elif name not in seen:
            seen.add(name)
            expected = _expected(Settings, str(field), detail)
            yield Complaint(given[name].where, f"{name}: {expected}{_given(name, given[name].value)}")


def expects(field: str, model: type[BaseModel] = Settings) -> str:
    """Return what a field takes, to complete the sentence "expected ..."."""
    extra = model.model_fields[field].json_schema_extra
    return str(extra["expects"]) if isinstance(extra, dict) else ""


def _about_rule(name: str, path: Sequence[str | int], detail: Mapping[str, Any], given: Given) -> Complaint:
    """`path` is the number of a rule in its list, and the key that is wrong, where it is not the whole."""
    where, rule = given.where_is(*path), f"rule {int(path[0]) + 1}"
    if len(path) == 1:
        return Complaint(where, f"{name}: {rule}: expected a table, not {shown(detail['input'])}")
    key = str(path[1])
    if detail["type"] == "extra_forbidden":
        what = f'{name}: {rule} has an unknown key "{printable(key)}"'
        known = suggestion(key, AssetRule.model_fields) or f"a rule has {', '.join(AssetRule.model_fields)}"
        return Complaint(where, what, known)
    if detail["type"] == "missing":
        return Complaint(where, f"{name}: {rule} has no {key}", f"expected {expects(key, AssetRule)}")
    what = f"{name}: {key} of {rule}: {_expected(AssetRule, key, detail)}, not {shown(detail['input'])}"
    return Complaint(where, what)


def _expected(model: type[BaseModel], field: str, detail: Mapping[str, Any]) -> str:
    reason = detail.get("ctx", {}).get("error")
    return str(reason) if isinstance(reason, ValueError) else f"expected {expects(field, model)}"


def _given(name: str, value: Any) -> str:
    """A secret is never repeated, nor a URL with a part that may hold one."""
    if name in SECRETS or (name in URLS and not _harmless(value)):
        return ""
    return f", not {shown(value)}"


def _harmless(value: Any) -> bool:
    return isinstance(value, str) and not any(mark in value for mark in "@?#")
