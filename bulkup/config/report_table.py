"""The table `[profiles.NAME.report]`: the report that is written after each run (docs/report.md).

Every ValueError raised here begins with "expected".
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import orjson

from bulkup.config.checked_model import CheckedModel, Plain, ValidationError
from bulkup.config.declaration import ValueForm, form_of, setting
from bulkup.config.suggestions import suggestion
from bulkup.config.value_text import cut_text, escape_surrogates

PLACEHOLDERS = ("run", "date", "time", "profile")
ENDINGS = {
    ".html": "html",
    ".htm": "html",
    ".md": "markdown",
    ".markdown": "markdown",
    ".txt": "terminal",
    ".json": "json",
}
_NAMES = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
_PATH = f"a path that ends in {', '.join(ENDINGS)}, with placeholders from {_NAMES} if wanted"
_URL = f"an address that begins with https:// or http://, with placeholders from {_NAMES} if wanted"
_PART = re.compile(r"\{([^{}]*)\}")


class ReportTableError(ValueError):
    """The table is wrong. `faults` are the path to a key, the error and a hint; they are never empty."""

    def __init__(self, faults: list[tuple[tuple[str, ...], str, str]]) -> None:
        super().__init__("expected a table of the report")
        self.faults = tuple(faults)


def _template(value: Any, expected: str) -> str:
    if not isinstance(value, str | os.PathLike) or not (text := os.fsdecode(value)) or "\0" in text:
        raise ValueError(f"expected {expected}")
    if set(_PART.findall(text)) - set(PLACEHOLDERS) or set("{}") & set(_PART.sub("", text)):
        raise ValueError(f"expected {expected}")
    return text


def _path(value: Any) -> str:
    text = _template(value, _PATH)
    if os.path.splitext(text)[1].lower() not in ENDINGS:
        raise ValueError(f"expected {_PATH}")
    return text


def _url(value: Any) -> str:
    text = _template(value, _URL)
    if not text.startswith(("https://", "http://")) or not text.isprintable() or " " in text:
        raise ValueError(f"expected {_URL}")
    return text


ReportPath = Annotated[str, Plain(_path), ValueForm(_PATH)]
ReportUrl = Annotated[str, Plain(_url), ValueForm(_URL)]


class ReportAfterRuns(CheckedModel):
    """The keys of the table."""

    path: ReportPath = setting(..., "the file; its ending chooses the format")
    url: ReportUrl | None = setting(None, "the address at which readers find the file, for notifications")

    def file(self, values: Mapping[str, str]) -> str:
        """Return the path for a run. `values` has the text of each placeholder."""
        return _filled(self.path, values, _in_a_name)

    def link(self, values: Mapping[str, str]) -> str:
        """Return how notifications name the report: by its address, else by its path."""
        return self.file(values) if self.url is None else _filled(self.url, values, _in_a_name)

    @property
    def folder(self) -> str:
        """The folder below which all reports are: that of the path up to its first placeholder."""
        return os.path.dirname(self.path.partition("{")[0])


def parse_report(value: object) -> ReportAfterRuns:
    """Return a checked table. Takes a table, its JSON text, or the path alone.

    Raises ValueError, of a table `ReportTableError`.
    """
    if isinstance(value, ReportAfterRuns):
        return value
    if isinstance(value, str) and value.startswith('{"'):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            raise ValueError("expected a path, or a table as JSON") from None
    if not isinstance(value, Mapping):
        value = {"path": _path(value)}
    try:
        return ReportAfterRuns.model_validate({str(name): part for name, part in value.items()})
    except ValidationError as error:
        raise ReportTableError([_fault(detail) for detail in error.errors(include_url=False)]) from None


def _fault(detail: Mapping[str, Any]) -> tuple[tuple[str, ...], str, str]:
    key = str(detail["loc"][0])
    if detail["type"] == "extra_forbidden":
        keys = ReportAfterRuns.model_fields
        known = suggestion(key, keys) or f"its keys are {', '.join(keys)}"
        return (key,), f'report has an unknown key "{cut_text(escape_surrogates(key))}"', known
    if detail["type"] == "missing":
        return (key,), f"report needs {key}: {form_of(ReportAfterRuns.model_fields[key].annotation).expects}", ""
    return (key,), f"report.{key}: expected {form_of(ReportAfterRuns.model_fields[key].annotation).expects}", ""


def _filled(text: str, values: Mapping[str, str], form: Callable[[str], str]) -> str:
    return _PART.sub(lambda match: form(values[match.group(1)]), text)


def _in_a_name(value: str) -> str:
    """Return the text of a placeholder as part of one name: a profile may be called `a/b`."""
    return re.sub(r"[^\w.-]", "_", value)
