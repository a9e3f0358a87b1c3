"""Reads plain arguments of `bulkup upload` without typer, whose import takes a quarter of the CPU time of a start.

Everything else goes to typer: the help, a dry run, an unknown option, a missing value, short options written together.
So usage errors have one author. Where both read the arguments, they read the same, which a test compares.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from bulkup.config.catalogue import SETTINGS, Setting

_COMPLETION = "_BULKUP_COMPLETE"  # with this variable, the shell asks for completions


class UploadArguments(NamedTuple):
    """The settings given as options, by name, and the options that name a profile and its file."""

    options: Mapping[str, Any]
    profile: str | None
    config: str | None


class _Option(NamedTuple):
    """An option: the parameter that it sets, and how. `flag` is the value of an option that takes none."""

    parameter: str
    flag: bool | None = None
    several: bool = False


def read_upload_arguments(arguments: Sequence[str]) -> UploadArguments | None:
    """Return the parts of a command line after `upload`, None if typer has to read it."""
    if _COMPLETION in os.environ:
        return None
    options, given, sources = _options(), dict[str, Any](), list[str]()
    left = iter(arguments)
    for argument in left:
        if argument == "--":
            sources += left
        elif not argument.startswith("-") or argument == "-":
            sources.append(argument)
        else:
            name, has_value, value = argument.partition("=")
            option = options.get(name)
            if option is None or (has_value and (option.flag is not None or not name.startswith("--"))):
                return None
            if option.flag is not None:
                given[option.parameter] = option.flag
                continue
            text = value if has_value else next(left, None)
            if text is None:
                return None
            given[option.parameter] = [*given.get(option.parameter, ()), text] if option.several else text
    profile, config = given.pop("profile", None), given.pop("config", None)
    return UploadArguments({"source": sources or None, **given}, profile, config)


def _options() -> dict[str, _Option]:
    """Return the options by the way they are written. `--dry-run` and `--help` are left to typer."""
    options = {}
    for name, short in (("profile", "-p"), ("config", "-c")):
        options[f"--{name}"] = options[short] = _Option(name)
    for setting in SETTINGS.values():
        for written in setting.option_names:
            yes, _, no = written.partition("/")  # `SOURCE` is no option, and no argument finds it
            options[yes] = _option_of(setting, flag=True)
            if no:
                options[no] = _option_of(setting, flag=False)
    return options


def _option_of(setting: Setting, *, flag: bool) -> _Option:
    takes_none = isinstance(setting.default, bool)
    return _Option(setting.name, flag if takes_none else None, setting.form.split is not None)
