"""Arguments of `bulkup upload` that are read without typer: the result is that of typer."""

from __future__ import annotations

import contextlib
import io
import random
from typing import Any

import pytest
from typer import Exit

from bulkup.cli.app import load_command
from bulkup.cli.upload_arguments import read_upload_arguments
from bulkup.config.catalogue import SETTINGS

_COMMAND = load_command("upload")
_NAMES = sorted({part for one in SETTINGS.values() for name in one.option_names for part in name.split("/")})
_OTHERS = ["--dry-run", "--help", "-h", "--unknown", "--profil", "-x", "-pname", "-qp", "-q0", "-c=x", "--quiet=1", "-"]
_VALUES = ["media", "", "a b", "-1", "--", "a=b", "x\udcff", "-q", "=", "auto"]


def _read_by_typer(arguments: list[str]) -> tuple[dict[str, Any], str | None, str | None] | None:
    """Return the parameters that typer passes to the command, None where it ends instead, or makes a dry run."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            given = dict(_COMMAND.make_context("upload", list(arguments)).params)
    except Exit:
        return None
    except Exception as error:
        if hasattr(error, "format_message"):  # a usage error
            return None
        raise
    if given.pop("dry_run"):
        return None
    profile, config, source = given.pop("profile"), given.pop("config"), given.pop("source") or None
    return {"source": source, **{name: value for name, value in given.items() if value}}, profile, config


def _read(arguments: list[str]) -> tuple[dict[str, Any], str | None, str | None] | None:
    found = read_upload_arguments(arguments)
    if found is None:
        return None
    options = {name: value for name, value in found.options.items() if value or name == "source"}
    return options, found.profile, found.config


@pytest.mark.parametrize(
    "arguments",
    [
        ["media", "more", "--provider", "local", "--quiet"],
        ["--journal=j", "--concurrency", "4", "media", "-q", "-p", "nightly", "-c", "b.toml"],
        ["--include", "*.mp4", "--include=*.mov", "--exclude", "a,b"],
        ["--concurrency", "4", "--concurrency", "8"],
        ["--", "--quiet", "-"],
        ["--include", "--quiet", "--journal", "-q"],
        [],
    ],
    ids=str,
)
def test_plain_arguments_are_read_as_typer_reads_them(arguments: list[str]) -> None:
    assert _read(arguments) == _read_by_typer(arguments) is not None


@pytest.mark.parametrize("name", ["--confirm", "--no-confirm", "--json", "--null"])
def test_a_flag_has_the_value_that_typer_gives_it(name: str) -> None:
    found = read_upload_arguments([name])
    assert found is not None
    [(parameter, value)] = [(key, value) for key, value in found.options.items() if key != "source"]
    assert _COMMAND.make_context("upload", [name]).params[parameter] is value


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["--dry-run", "media"], ["--unknown"], ["--journal"], ["--quiet=1"], ["-pname"], ["-q0"], ["-p"]],
    ids=str,
)
def test_everything_else_is_left_to_typer(arguments: list[str]) -> None:
    assert read_upload_arguments(arguments) is None


def test_a_request_of_the_shell_for_completions_is_left_to_typer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_BULKUP_COMPLETE", "complete_bash")
    assert read_upload_arguments(["media"]) is None


@pytest.mark.parametrize("seed", range(20))
def test_no_command_line_is_read_in_another_way_than_by_typer(seed: int) -> None:
    """Typer may accept some that are left to it, such as short options written together."""
    chance = random.Random(seed)
    read = 0
    for _ in range(100):
        parts = [_part(chance) for _ in range(chance.randrange(5))]
        arguments = [text for part in parts for text in part]
        found = _read(arguments)
        if found is not None:
            read += 1
            assert found == _read_by_typer(arguments), arguments
    assert read > 10


def _part(chance: random.Random) -> list[str]:
    kind, name, value = chance.random(), chance.choice(_NAMES), chance.choice(_VALUES)
    if kind < 0.4:
        return [name, value]
    if kind < 0.55:
        return [f"{name}={value}"]
    if kind < 0.8:
        return [value]
    return [name] if kind < 0.95 else [chance.choice(_OTHERS)]
