"""Turn pydantic's errors into complaints, with the place of the value, the expected form and the given value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bulkup.config.assets import AssetRule
from bulkup.config.catalogue import NAMES_BY_FIELD, SETTINGS, Setting
from bulkup.config.checked_model import ValidationError
from bulkup.config.complaints import Complaint
from bulkup.config.declaration import form_of
from bulkup.config.layers import GivenValue
from bulkup.config.suggestions import suggestion
from bulkup.config.value_text import escape_surrogates, quote_value

if TYPE_CHECKING:
    from bulkup.config.described_service import TableFault


def complaints_of(error: ValidationError, given: Mapping[str, GivenValue]) -> Iterator[Complaint]:
    """Yield one complaint for each wrong setting, even if several members of a list are wrong.

    In tables, yield one complaint for each wrong key.
    """
    seen: set[str] = set()
    for detail in error.errors(include_url=False):
        field, *path = detail["loc"]
        name = NAMES_BY_FIELD[str(field)]
        setting = SETTINGS[name]
        reason = detail.get("ctx", {}).get("error")
        if faults := getattr(reason, "faults", None):
            yield from _about_description(faults, given[name])
        elif setting.form.kind == "table" and path:
            yield _about_rule(name, path, detail, given[name])
        elif name not in seen:
            seen.add(name)
            expected = _expected(setting.expects, detail)
            # An option or a variable names the setting already.
            prefix = "" if given[name].where in (name, setting.option_name, setting.variable) else f"{name}: "
            value = given[name].value
            repeats = isinstance(value, str) and f"; {value} " in expected  # the reason names it already
            what = f"{prefix}{expected}{'' if repeats else _given(setting, value)}"
            yield Complaint(given[name].where, what, _hint(name, given[name].value))


def _hint(name: str, value: Any) -> str:
    if name != "provider" or not isinstance(value, str):
        return ""
    from bulkup.config.provider_plugins import hint_for_unknown, is_provider  # noqa: PLC0415  # as in `setting_types`

    return "" if is_provider(value) else hint_for_unknown(value)


def _about_rule(name: str, path: Sequence[str | int], detail: Mapping[str, Any], given: GivenValue) -> Complaint:
    """Return the complaint about a rule. `path` is its number in the list, then the key if only that is wrong."""
    where, rule = given.where_is(*path), f"rule {int(path[0]) + 1}"
    if len(path) == 1:
        return Complaint(where, f"{name}: {rule}: expected a table, not {quote_value(detail['input'])}")
    key = str(path[1])
    if detail["type"] == "extra_forbidden":
        what = f'{name}: {rule} has an unknown key "{escape_surrogates(key)}"'
        known = suggestion(key, AssetRule.model_fields) or f"a rule has the keys {', '.join(AssetRule.model_fields)}"
        return Complaint(where, what, known)
    expects = form_of(AssetRule.model_fields[key].annotation).expects
    if detail["type"] == "missing":
        return Complaint(where, f"{name}: {rule} has no {key}", f"expected {expects}")
    what = f"{name}: {key} of {rule}: {_expected(expects, detail)}, not {quote_value(detail['input'])}"
    return Complaint(where, what)


def _about_description(faults: Sequence[TableFault], given: GivenValue) -> Iterator[Complaint]:
    """Yield a complaint for each fault of a described service, with the line of its key."""
    for path, what, hint in faults:
        yield Complaint(given.where_is(*path), what, hint)


def _expected(expects: str, detail: Mapping[str, Any]) -> str:
    reason = detail.get("ctx", {}).get("error")
    return str(reason) if isinstance(reason, ValueError) else f"expected {expects}"


def _given(setting: Setting, value: Any) -> str:
    """Return the wrong value as the message repeats it: never a secret, nor a URL with a part that may hold one."""
    kind = setting.form.kind
    if kind in ("secret", "tables") or (kind == "url" and not _harmless(value)):
        return ""
    return f", not {quote_value(value)}"


def _harmless(value: Any) -> bool:
    return isinstance(value, str) and not any(mark in value for mark in "@?#")
