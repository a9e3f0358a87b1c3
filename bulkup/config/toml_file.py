"""The TOML file: finding it, reading it, and checking that it consists of profiles, and of defaults for all of them."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from bulkup.config.catalogue import CONFIG_VARIABLE
from bulkup.config.complaints import Complaint, SettingsError
from bulkup.config.suggestions import suggestion
from bulkup.config.toml_lines import Lines, line_numbers, line_of
from bulkup.config.user_dirs import user_config_dir
from bulkup.errors import UsageError
from bulkup.helpers.input_files import read_input
from bulkup.helpers.lazy_pattern import lazy_pattern
from bulkup.helpers.quick_dataclass import dataclass

FILE_NAME = "bulkup.toml"
_DEFAULTS = "defaults"  # the table of settings for all profiles
_LARGEST = 1024**2  # bytes
_PIPE_TIMEOUT = 30.0  # seconds, as for the command of a secret

_HEADER_HINT = "settings belong in a profile: write [profiles.NAME] above them"
_POSITION = lazy_pattern(r" \(at line (\d+), column (\d+)\)$")


@dataclass(frozen=True, slots=True)
class TomlDocument:
    """A file that was read. `shown` is its name in messages. `complaints` are about keys outside the profiles."""

    path: str
    shown: str
    defaults: Mapping[str, Any]
    profiles: Mapping[str, Mapping[str, Any]]
    lines: Lines
    complaints: tuple[Complaint, ...]
    others_can_read: bool

    @property
    def folder(self) -> str:
        """Return the folder that relative paths in the file are relative to."""
        return os.path.dirname(self.path)

    def line(self, *path: str | int) -> int | None:
        """Return the line of a table or key by its full path."""
        return line_of(self.lines, path)

    def where(self, *path: str | int) -> str:
        """Return `file:line` of a table or key by its full path."""
        return f"{self.shown}:{self.line(*path) or 1}"

    def place(self, profile: str, *path: str) -> str:
        """Return `file:line` of a setting of a profile, or of its part; it may stand among the defaults."""
        own = self.profiles.get(profile, {})
        if path and path[0] not in own and path[0] in self.defaults:
            return self.where(_DEFAULTS, *path)
        return self.where("profiles", profile, *path)

    def profile(self, name: str) -> Mapping[str, Any]:
        """Return the raw values of one profile. Raises UsageError if there is none of that name.

        The error includes the other complaints about the file, which often show the reason, such as `[nightly]`.
        """
        if name in self.profiles:
            return self.profiles[name]
        known = f"profiles in this file: {', '.join(sorted(self.profiles)) or 'none'}"
        near = suggestion(name, self.profiles)
        hint = f"{near} {known}" if near else known
        missing = Complaint(self.shown, f'there is no profile "{name}"', hint)
        raise SettingsError([*self.complaints, missing])


def candidates(environ: Mapping[str, str], cwd: str) -> tuple[str, ...]:
    """Return the paths that are searched if no file is named: one, or two for a user with a home directory."""
    folder = user_config_dir(environ)
    here = os.path.join(cwd, FILE_NAME)
    return (here,) if folder is None else (here, os.path.join(folder, FILE_NAME))


def find(config_file: str | None, environ: Mapping[str, str], cwd: str) -> TomlDocument | None:
    """Read the file named, by BULKUP_CONFIG too, else the first one that exists. Return None if there is none.

    Raises UsageError if the file named does not exist, or if a file cannot be read, is not UTF-8 or is not TOML.
    """
    config_file = config_file or environ.get(CONFIG_VARIABLE) or None
    if config_file is not None:
        return read(os.path.join(cwd, config_file), shown=config_file)
    here, *of_user = candidates(environ, cwd)
    if os.path.lexists(here):
        return read(here, shown=FILE_NAME)
    return next((read(path, shown=path) for path in of_user if os.path.lexists(path)), None)


def read(path: str, shown: str) -> TomlDocument:
    """Read one file. Raises UsageError if it cannot be read, is not UTF-8 or is not TOML."""
    try:
        data, status = read_input(path, _LARGEST + 1, seconds=_PIPE_TIMEOUT)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "not a path"
        raise UsageError(f"cannot read the configuration file {shown}: {why}") from error
    if len(data) > _LARGEST:
        raise UsageError(f"the configuration file {shown} has more than {_LARGEST:,} bytes")
    text = _decoded(data, shown)
    tree = _parsed(text, shown)
    lines = line_numbers(text)
    complaints = tuple(_complaints(tree, lines, shown))
    given = _defaults(tree), _profiles(tree)
    return TomlDocument(path, shown, *given, lines, complaints, others_can_read=bool(status.st_mode & 0o044))


def _decoded(data: bytes, shown: str) -> str:
    try:
        # Some editors begin a file with a byte order mark, which TOML does not allow.
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        complaint = Complaint(f"{shown}:{line}", "not UTF-8 text", "save the file as UTF-8")
        raise SettingsError([complaint]) from error


def _parsed(text: str, shown: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        position = _POSITION.search(message)
        where = f"{shown}:{position[1]}:{position[2]}" if position else shown
        raise SettingsError([Complaint(where, f"not valid TOML: {_POSITION.sub('', message)}")]) from error
    except (ValueError, RecursionError) as error:  # numbers of thousands of digits, thousands of brackets
        raise SettingsError(
            [Complaint(shown, "not valid TOML: a number is too long, or brackets are nested too deeply")]
        ) from error


def _defaults(tree: Mapping[str, Any]) -> Mapping[str, Any]:
    table = tree.get(_DEFAULTS)
    return table if isinstance(table, dict) else {}


def _profiles(tree: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    tables = tree.get("profiles")
    if not isinstance(tables, dict):
        return {}
    return {name: table for name, table in tables.items() if isinstance(table, dict)}


def _complaints(tree: Mapping[str, Any], lines: Lines, shown: str) -> Iterator[Complaint]:
    """Yield the errors outside the profiles."""
    for key, value in tree.items():
        where = f"{shown}:{line_of(lines, (key,)) or 1}"
        if key == _DEFAULTS:
            if not isinstance(value, dict):
                yield Complaint(where, f'"{_DEFAULTS}" is not a table', f"write [{_DEFAULTS}] above its settings")
        elif key != "profiles":
            yield Complaint(where, f'unknown key "{key}" outside every profile', _outside_hint(key, value))
        elif not isinstance(value, dict):
            yield Complaint(where, '"profiles" is not a table', _HEADER_HINT)
        else:
            yield from _in_profiles(value, lines, shown)


def _in_profiles(tables: Mapping[str, Any], lines: Lines, shown: str) -> Iterator[Complaint]:
    for name, table in tables.items():
        if not isinstance(table, dict):
            where = f"{shown}:{line_of(lines, ('profiles', name)) or 1}"
            yield Complaint(where, f'"{name}" is directly in [profiles], which may contain only profiles', _HEADER_HINT)


def _outside_hint(key: str, value: object) -> str:
    if isinstance(value, dict):
        return suggestion(key, ["profiles", _DEFAULTS]) or f"a profile is written [profiles.{key}]"
    return _HEADER_HINT
