"""Parameters that need no conversion."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import pytest
import typer
from typer.core import TyperCommand

from bulkup.cli.app import COMMANDS, load_command
from bulkup.cli.quick_parameters import QuickCommand


def _command(given: list[Any], kind: type[TyperCommand]) -> Any:
    app = typer.Typer()

    @app.command(cls=kind)
    def run(
        sources: Annotated[list[str] | None, typer.Argument()] = None,
        text: str | None = None,
        several: Annotated[list[str] | None, typer.Option()] = None,
        number: int | None = None,
        numbers: Annotated[list[int] | None, typer.Option()] = None,
        pair: Annotated[tuple[str, str] | None, typer.Option()] = None,
        flag: bool | None = None,
        default: str = "a",
        checked: Annotated[str | None, typer.Option(callback=lambda value: f"checked {value}")] = None,
    ) -> None:
        given.append((sources, text, several, number, numbers, pair, flag, default, checked))

    return typer.main.get_command(app)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["x", "y\udcff", "--text", "", "--several", "a", "--several", "b", "--default", "c"],
        ["--number", "3", "--numbers", "4", "--numbers", "5", "--pair", "a", "b", "--flag"],
        ["--no-flag", "--text", "3", "--checked", "x"],
        ["--number", "three"],
        ["--numbers", "1", "--numbers", "x"],
        ["--text"],
        ["--unknown"],
    ],
    ids=str,
)
def test_values_are_those_that_typer_converts(arguments: list[str]) -> None:
    outcomes = []
    for quick in (False, True):
        given = list[Any]()
        command = _command(given, QuickCommand if quick else TyperCommand)
        outcomes.append((given, _error(command, arguments)))
    assert outcomes[0] == outcomes[1]


def _error(command: Any, arguments: list[str]) -> str:
    """Run a command and return its error as text, empty if there is none."""
    try:
        command.main(arguments, standalone_mode=False)
    except Exception as error:  # noqa: BLE001  # any error is compared
        return f"{type(error).__name__}: {error}"
    return ""


def _commands(command: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    yield " ".join(path), command
    for name, inner in getattr(command, "commands", {}).items():
        yield from _commands(inner, (*path, name))


@pytest.mark.parametrize("name", COMMANDS)
def test_a_flag_has_no_type_in_the_help(name: str) -> None:
    for path, command in _commands(load_command(name), (name,)):
        context = command.make_context(path, [], resilient_parsing=True)
        for parameter in command.get_params(context):
            if getattr(parameter, "is_flag", False):
                assert parameter.metavar == "", f"{path} {parameter.opts}"
