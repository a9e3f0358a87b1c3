"""Finds the `bulkup` commands in a shell script, and checks them with the parser of the real command."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from typing import Any

from bulkup.cli.app import COMMANDS, load_command
from bulkup.config import load
from bulkup.config.catalogue import SETTINGS
from bulkup.errors import UsageError

_HERE_DOCUMENT = re.compile(r"<<-?\s*'?(\w+)'?([^\n]*)\n.*?^\s*\1$", re.MULTILINE | re.DOTALL)
_PUNCTUATION = set("();<>|&")


def bulkup_commands(script: str) -> Iterator[list[str]]:
    """Yield the arguments of each `bulkup` command of a script. Raises ValueError if the script cannot be parsed."""
    for words in _simple_commands(script):
        for index, word in enumerate(words[:-1]):
            following = words[index + 1]
            if word == "bulkup" and (following.startswith("-") or re.fullmatch(r"[a-z-]+", following)):
                yield words[index + 1 :]
                break


def complaint_about(arguments: Sequence[str], *, with_values: bool = True) -> str | None:
    """Return what is wrong with a command line after `bulkup`: its command, an option or the value of a setting.

    Without `with_values`, a value may be a placeholder, and arguments may be missing.
    """
    if arguments[0].startswith("-"):
        return None if arguments[0] in ("-h", "--help", "--version") else f"there is no option {arguments[0]}"
    if arguments[0] not in COMMANDS:
        return f"there is no command {arguments[0]}"
    command, name, left = load_command(arguments[0]), arguments[0], list(arguments[1:])
    while commands := getattr(command, "commands", None):
        if not left or left[0] not in commands:
            return None if not left or left[0] in ("-h", "--help") else f"there is no command {name} {left[0]}"
        name = left.pop(0)
        command = commands[name]
    try:
        context = command.make_context(name, left)
    except Exception as error:
        if type(error).__name__ == "Exit":  # --help
            return None
        if type(error).__name__ == "MissingParameter" and not with_values:
            return None
        if hasattr(error, "format_message"):
            return str(error.format_message())
        raise
    return _complaint_about_values(context.params) if with_values else None


def _complaint_about_values(given: dict[str, Any]) -> str | None:
    """Return what is wrong with settings that were given as options, except with placeholders."""
    settings = {
        name: value
        for name, value in given.items()
        if name in SETTINGS
        and value is not None
        and "$" not in str(value)
        and "..." not in str(value)
        # A command may take several journals where a run has one.
        and not (isinstance(value, list | tuple) and SETTINGS[name].form.split is None)
    }
    try:
        load(settings, profile=None, config_file=None, environ={}, cwd="/")
    except UsageError as error:
        return str(error)
    return None


def _simple_commands(script: str) -> Iterator[list[str]]:
    """Yield the words of each command between separators such as pipes. A substitution is a part of its command."""
    pending = ""
    for line in _HERE_DOCUMENT.sub(r"\2", script).splitlines():
        pending += line
        if pending.endswith("\\"):
            pending = pending[:-1] + " "
            continue
        try:
            words = _words(pending)
        except ValueError:  # a quotation goes on in the next line
            pending += "\n"
            continue
        pending = ""
        command = list[str]()
        for word in words:
            if set(word) <= _PUNCTUATION:
                yield command
                command = []
            else:
                command.append(word)
        yield command
    if pending.strip():
        raise ValueError(f"a quotation has no end: {pending[:60]}")


def _words(line: str) -> list[str]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    return list(lexer)
