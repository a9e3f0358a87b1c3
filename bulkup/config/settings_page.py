"""The reference part of docs/settings.md, made from the declarations of the settings. `make docs` writes it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from typing import Any

from bulkup.config.catalogue import SETTINGS, Setting

HEADING = "## Every setting\n"

_WIDTH = 130


def with_reference(page: str, settings: Iterable[Setting] = SETTINGS.values()) -> str:
    """Return the page with the part below the heading made anew."""
    start, heading, _ = page.partition(HEADING)
    return "\n".join([start + heading, *(_entry(setting) for setting in settings)])


def _entry(setting: Setting) -> str:
    paragraphs = [_wrapped(text) for text in setting.declaration.description.split("\n\n")]
    rows = "".join(f"{_wrapped(f'- {row}', indent='  ')}\n" for row in _rows(setting))
    return "\n\n".join([f"### {setting.name}", *paragraphs, rows])


def _wrapped(text: str, indent: str = "") -> str:
    return textwrap.fill(text, _WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _rows(setting: Setting) -> Iterator[str]:
    form, declaration = setting.form, setting.declaration
    yield f"takes: {setting.expects}"
    about = f". {declaration.about_default}" if declaration.about_default else ""
    yield f"default: {default_text(setting)}{about}"
    yield f"option: {_option(setting)}"
    details = form.in_environment or ("only if no profile is named" if form.kind == "secret" else "")
    yield f"environment: `{setting.variable}`" + (f", {details}" if details else "")
    if declaration.not_in_profile:
        yield f"in a profile: no, because {declaration.not_in_profile}"
    else:
        tables = {
            "table": f", a table `[[profiles.NAME.{setting.name}]]` for each rule",
            "tables": f", a table `[profiles.NAME.{setting.name}]`",
        }
        table = tables.get(form.kind, "")
        yield f"in a profile: `{setting.name}`{table}"


def default_text(setting: Setting) -> str:
    """Return the default as the page shows it, with its unit."""
    default: Any = setting.default
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, float):
        return f"{default:g} {setting.form.unit}".rstrip()
    if default is None:
        return "not set"
    return f"`{default}`" if isinstance(default, str) else str(default or "none")


def _option(setting: Setting) -> str:
    if setting.name == "source":
        return "the arguments `SOURCE...`"
    names = ", ".join(f"`{name}`" for names in setting.option_names for name in names.split("/"))
    repeated = ", may be repeated" if setting.form.split is not None else ""
    return names + repeated if names else "none"
