"""Options that are settings: made from the declarations in `bulkup.config`, so that a setting is declared once."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeVar, cast

import typer

from bulkup.cli.completion import values_of
from bulkup.config.catalogue import SETTINGS, Setting
from bulkup.config.settings_page import default_text

_MEBIBYTE = 1024**2

Command = TypeVar("Command", bound=Callable[..., None])


def setting_option(name: str, *, help: str | None = None) -> Any:  # noqa: A002  # the name that typer uses
    """Return the option of a setting, for a parameter that a command declares itself."""
    return _option(SETTINGS[name], help=help)


def setting_options(
    *names: str, before: str | None = None, panel: str | None = None, settings: Mapping[str, Setting] = SETTINGS
) -> Callable[[Command], Command]:
    """Add options of settings to a command that takes them as keyword arguments.

    They are inserted in front of the parameter `before`, or at the end. `panel` replaces their heading in the help.
    Settings without an option are skipped, and so are those for which the command declares its own parameter.
    """

    def add(command: Command) -> Command:
        signature = inspect.signature(command, eval_str=True)
        own = [one for one in signature.parameters.values() if one.kind is not inspect.Parameter.VAR_KEYWORD]
        new = [
            _parameter(settings[name], panel)
            for name in names
            if settings[name].option is not None and name not in signature.parameters
        ]
        place = next((index for index, one in enumerate(own) if one.name == before), len(own))
        parameters = [*own[:place], *new, *own[place:]]
        cast("Any", command).__signature__ = signature.replace(parameters=parameters)  # typer reads it
        return command

    return add


def _parameter(setting: Setting, panel: str | None) -> inspect.Parameter:
    if isinstance(setting.default, bool):
        values: Any = bool | None
    else:
        values = list[str] | None if setting.form.split is not None else str | None
    annotation = Annotated[values, _option(setting, panel=panel)]
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD  # only these may stand in front of a command's own
    return inspect.Parameter(setting.name, kind, default=None, annotation=annotation)


def _option(setting: Setting, *, help: str | None = None, panel: str | None = None) -> Any:  # noqa: A002
    option = setting.option
    assert option is not None, f"{setting.name} has no option"
    return typer.Option(
        *setting.option_names,
        metavar=option.metavar or setting.form.metavar,
        help=(help or option.help) + _default(setting),
        rich_help_panel=panel or option.panel.value,
        autocompletion=values_of(setting),
    )


def _default(setting: Setting) -> str:
    """Return the default as the end of a help text, empty for a switch and for a setting that is not set."""
    default = setting.default
    if not default or isinstance(default, bool):
        return ""
    size = isinstance(default, int) and default % _MEBIBYTE == 0
    text = f"{default // _MEBIBYTE}M" if size else default_text(setting).strip("`")
    return f" (default: {text})"
