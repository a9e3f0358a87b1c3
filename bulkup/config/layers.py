"""The layers of settings: options, environment, profile. Each yields raw values with their origin."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from bulkup.config.catalogue import SETTINGS, Setting
from bulkup.config.complaints import Complaint
from bulkup.config.suggestions import suggestion
from bulkup.config.user_dirs import home_expanded
from bulkup.helpers.quick_dataclass import dataclass

if TYPE_CHECKING:
    from bulkup.config.toml_file import TomlDocument


@dataclass(frozen=True, slots=True)
class GivenValue:
    """A raw value. `origin` names its layer, `where` its place as complaints begin with it.

    `inside` returns the place of a part of the value, for values whose parts have lines of their own: those of a file.
    """

    value: Any
    origin: str
    where: str
    inside: Callable[..., str] | None = None

    @property
    def in_file(self) -> bool:
        """Return whether the value is written in the configuration file."""
        return self.inside is not None

    def where_is(self, *path: str | int) -> str:
        """Return the place of a part of the value, or of the whole value if the part has none."""
        return self.inside(*path) if self.inside else self.where


Layer = tuple[Mapping[str, GivenValue], tuple[Complaint, ...]]


def from_options(options: Mapping[str, Any], cwd: str) -> Layer:
    """Return the settings given as options, by name. None and an empty list mean that an option was not given."""
    given: dict[str, GivenValue] = {}
    complaints: list[Complaint] = []
    for name, value in options.items():
        if name not in SETTINGS:
            complaints.append(Complaint(name, "no such setting", suggestion(name, SETTINGS)))
        elif value is not None and value not in ([], ()):
            where = SETTINGS[name].option_name or name
            given[name] = GivenValue(_absolute_paths(SETTINGS[name], value, cwd, expand=False), "option", where)
    return given, tuple(complaints)


def from_environment(environ: Mapping[str, str], cwd: str, *, secrets: bool) -> Layer:
    """Return the settings given as `BULKUP_<SETTING>`. An empty variable counts as not set.

    Secrets are included only if `secrets` is true.
    """
    given: dict[str, GivenValue] = {}
    for name, setting in SETTINGS.items():
        text = environ.get(setting.variable, "")
        if text and (secrets or setting.form.kind != "secret"):
            parts = setting.form.split(text) if setting.form.split else text
            value = _absolute_paths(setting, parts, cwd, expand=True)
            given[name] = GivenValue(value, f"environment {setting.variable}", setting.variable)
    return given, ()


def from_profile(document: TomlDocument, profile: str) -> Layer:
    """Return the settings of one profile, and those of [defaults] that it does not replace.

    Raises UsageError if the file has no profile of that name.
    """
    own = document.profile(profile)
    tables: tuple[tuple[tuple[str, ...], str, Mapping[str, Any]], ...] = (
        (("defaults",), "[defaults]", document.defaults),
        (("profiles", profile), f"profile {profile}", own),
    )
    given: dict[str, GivenValue] = {}
    complaints = list(document.complaints)
    for path, shown, table in tables:
        for name, value in table.items():
            complaint = _misplaced(document.where(*path, name), name, shown)
            if complaint is not None:
                complaints.append(complaint)
                continue
            origin = f"{shown} ({document.shown} line {document.line(*path, name)})"
            inside = functools.partial(document.where, *path, name)
            absolute = _absolute_paths(SETTINGS[name], value, document.folder, expand=True)
            given[name] = GivenValue(absolute, origin, document.where(*path, name), inside)
    return given, tuple(complaints)


def _misplaced(where: str, name: str, table: str) -> Complaint | None:
    """Return the complaint about a name that may not be written in this table of the file."""
    setting = SETTINGS.get(name)
    if setting is None:
        return Complaint(where, f'unknown setting "{name}" in {table}', suggestion(name, SETTINGS))
    if reason := setting.declaration.not_in_profile:
        what = f'"{name}" is not allowed in a profile: {reason}'
        return Complaint(where, what, f"use {setting.option_name} or {setting.variable}")
    return None


def _absolute_paths(setting: Setting, value: Any, folder: str, *, expand: bool) -> Any:
    """Return the value with its paths made absolute.

    A path in a file is relative to the folder of the file, because a timer starts commands in another directory than a
    person does.
    """
    if setting.form.kind == "secret":
        return _absolute_secret(value, folder)
    if setting.name == "notify" and isinstance(value, dict):
        return {key: _absolute_secret(part, folder) if key.endswith("_url") else part for key, part in value.items()}
    if setting.name == "report":
        if isinstance(value, dict):
            return {**value, "path": _absolute(value["path"], folder, expand=expand)} if "path" in value else value
        return value if isinstance(value, str) and value.startswith('{"') else _absolute(value, folder, expand=expand)
    if setting.form.kind == "tables" and isinstance(value, dict) and isinstance(value.get("secrets"), dict):
        secrets = {name: _absolute_secret(one, folder) for name, one in value["secrets"].items()}
        return {**value, "secrets": secrets}
    if setting.form.kind != "path" or (setting.name in ("files_from", "urls") and value == "-"):
        return value
    if isinstance(value, list | tuple):
        return [_absolute_paths(setting, part, folder, expand=expand) for part in value]
    return _absolute(value, folder, expand=expand)


def _absolute_secret(value: Any, folder: str) -> Any:
    """Return the text of a secret; that of a file has an absolute path."""
    if not isinstance(value, str) or not value.startswith("file:"):
        return value
    path = value.removeprefix("file:")
    return f"file:{_absolute(path, folder, expand=True)}" if path.strip() else value


def _absolute(value: Any, folder: str, *, expand: bool) -> Any:
    """Make one path absolute. `expand` replaces `~`; in options the shell has done that.

    Values of other types are returned unchanged, and validation refuses them.
    """
    if not value or not isinstance(value, str | bytes | os.PathLike):
        return value
    path = os.fsdecode(value)
    return os.path.join(folder, home_expanded(path) if expand else path)
