"""Parameters of a command without pydantic, by which typer converts all values, even those that are not given.

Settings are text here, and `bulkup.config` checks them. So there is nothing to convert, and pydantic, with an adapter
for each of 60 options, would take a seventh of the CPU time of a start.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import typer.core

_Process = Callable[[Any, Any], Any]


class QuickCommand(typer.core.TyperCommand):
    """A command whose parameters are quick."""

    def get_params(self, ctx: Any) -> Any:
        """Return the parameters, with that of the help."""
        return quick_parameters(super().get_params(ctx))


class QuickGroup(typer.core.TyperGroup):
    """A group of commands whose own parameters are quick."""

    def get_params(self, ctx: Any) -> Any:
        """Return the parameters, with that of the help."""
        return quick_parameters(super().get_params(ctx))


def quick_parameters(parameters: Any) -> Any:
    """Let parameters take text unchanged, and values that are not given. Typer converts other values.

    In the help, a flag has no type beside it.
    """
    for parameter in parameters:
        if getattr(parameter, "is_flag", False) and parameter.metavar is None:
            parameter.metavar = ""
        if not parameter.required and "process_value" not in vars(parameter):
            parameter.process_value = _without_conversion(parameter, parameter.process_value)
    return parameters


def _without_conversion(parameter: Any, process: _Process) -> _Process:
    several = parameter.multiple or parameter.nargs == -1
    kind = getattr(getattr(parameter, "type_descriptor", None), "annotation", None)  # typer has it since 0.29

    def process_value(context: Any, value: Any) -> Any:
        if value is None:
            value = () if several else None
        elif kind == list[str] and all(isinstance(part, str) for part in value):
            value = list(value)
        elif kind is not str or several or not isinstance(value, str):
            return process(context, value)
        return value if parameter.callback is None else parameter.callback(context, parameter, value)

    return process_value
