"""The layers settings come from: options, environment, profile. Each yields raw values that know where they
stood."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bulkup.config.complaints import Complaint
from bulkup.config.names import COMMAND_ONLY, FIELDS, PATHS, option_of, suggestion, variable_of
from bulkup.config.secret_names import SECRETS
from bulkup.config.toml_file import TomlDocument


@dataclass(frozen=True, slots=True)
class Given:
    """A raw value. `origin` tells where it came from, `where` is the same as a mark in front of a complaint.

    `inside` gives the mark of a part of the value, by its path in it, where parts have lines of their own.
    """

    value: Any
    origin: str
    where: str
    inside: Callable[..., str] | None = None

    def where_is(self, *path: str | int) -> str:
        """Return the mark of a part of the value, that of the whole where it is the most that is known."""
        return self.inside(*path) if self.inside else self.where


Layer = tuple[Mapping[str, Given], tuple[Complaint, ...]]


def from_options(options: Mapping[str, Any], cwd: str) -> Layer:
    """Take options by the names of their settings. None and an empty list mean that an option was not
    given."""
    given: dict[str, Given] = {}
    complaints: list[Complaint] = []
    for name, value in options.items():
        if name not in FIELDS:
            complaints.append(Complaint(name, "no such setting", suggestion(name, FIELDS)))
        elif value is not None and value not in ([], ()):
            where = option_of(name) or name
            given[name] = Given(_anchored(name, value, cwd, expand=False), "option", where)
    return given, tuple(complaints)


def from_environment(environ: Mapping[str, str], cwd: str, *, secrets: bool) -> Layer:
    """Take `BULKUP_<SETTING>`. An empty variable counts as not set; secrets hold only where `secrets` says
    so."""
    given: dict[str, Given] = {}
    for name in FIELDS:
        variable = variable_of(name)
        text = environ.get(variable, "")
        if text and (secrets or name not in SECRETS):
            value = _anchored(name, _listed(name, text), cwd, expand=True)
            given[name] = Given(value, f"environment {variable}", variable)
    return given, ()


def from_profile(document: TomlDocument, profile: str) -> Layer:
    """Take the settings of one profile. Raises UsageError where the file has none of that name."""
    given: dict[str, Given] = {}
    complaints = list(document.complaints)
    for name, value in document.profile(profile).items():
        where = document.where("profiles", profile, name)
        if name not in FIELDS:
            what = f'unknown setting "{name}" in profile {profile}'
            complaints.append(Complaint(where, what, suggestion(name, FIELDS)))
        elif name in COMMAND_ONLY:
            what = f'"{name}" has no place in a profile: {COMMAND_ONLY[name]}'
            complaints.append(Complaint(where, what, f"use {option_of(name)} or {variable_of(name)}"))
        else:
            line = document.line("profiles", profile, name)
            origin = f"profile {profile} ({document.shown} line {line})"
            inside = functools.partial(document.where, "profiles", profile, name)
            given[name] = Given(_anchored(name, value, document.folder, expand=True), origin, where, inside)
    return given, tuple(complaints)


def _listed(name: str, text: str) -> str | Sequence[str]:
    """Part the text of a variable that holds a list. A comma is part of a pattern where the patterns stand on
    lines."""
    if name == "source":
        return [part for part in text.split(os.pathsep) if part]
    if name in ("include", "exclude", "allowed_hosts"):
        parts = text.splitlines() if "\n" in text else text.split(",")
        return [part.strip() for part in parts if part.strip()]
    return text


def _anchored(name: str, value: Any, folder: str, *, expand: bool) -> Any:
    """Make relative paths absolute, those in a file by the file's folder: a timer starts in another than a
    person."""
    if name in SECRETS and isinstance(value, str) and value.startswith("file:"):
        path = value.removeprefix("file:")
        return f"file:{_absolute(path, folder, expand=True)}" if path.strip() else value
    if name not in PATHS or (name == "files_from" and value == "-"):
        return value
    if isinstance(value, list | tuple):
        return [_anchored(name, part, folder, expand=expand) for part in value]
    return _absolute(value, folder, expand=expand)


def _absolute(value: Any, folder: str, *, expand: bool) -> Any:
    """`~` is for files and variables; in an option the shell has dealt with it. Other kinds are left to
    validation."""
    if not value or not isinstance(value, str | bytes | os.PathLike):
        return value
    path = os.fsdecode(value)
    return os.path.join(folder, os.path.expanduser(path) if expand else path)
