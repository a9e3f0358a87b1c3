"""The manual page `bulkup(1)`, made from the commands and their options.

The format is that of man(7). The page is printed on request and not kept in a file, so it is never out of date.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from bulkup.cli.app import COMMANDS, app, load_command
from bulkup.cli.output import closed_output_is_success

_FILES = {
    "./bulkup.toml, ~/.config/bulkup/bulkup.toml": "The configuration file; the first one that exists is read.",
    "~/.local/state/bulkup/": "The journals, one for each profile or source.",
    "~/.local/share/bulkup/store/": "The objects of --provider local.",
}
_VARIABLES = {
    "BULKUP_PROFILE, BULKUP_CONFIG": "A profile and a configuration file, where no option names one.",
    "BULKUP_<SETTING>": "A setting, by its name in capitals.",
    "http_proxy, https_proxy, all_proxy, no_proxy": "Proxies.",
}


def man() -> None:
    """Print the manual page: `bulkup man | man -l -`.

    To install it: bulkup man > ~/.local/share/man/man1/bulkup.1
    """
    with closed_output_is_success():
        for line in _lines():
            sys.stdout.write(line + "\n")


def _lines() -> Iterator[str]:
    yield '.TH BULKUP 1 "" "bulkup" "User Commands"'
    yield ".SH NAME"
    yield r"bulkup \- upload large directories through presigned URLs"
    yield ".SH SYNOPSIS"
    yield r"\fBbulkup\fR \fICOMMAND\fR [\fIOPTION\fR]... [\fIARGUMENT\fR]..."
    yield ".SH DESCRIPTION"
    yield _text(str(app.info.help))
    for name in COMMANDS:
        yield from _command((name,), load_command(name))
    for title, entries in (("ENVIRONMENT", _VARIABLES), ("FILES", _FILES)):
        yield f".SH {title}"
        for name, about in entries.items():
            yield from (".TP", rf"\fB{_text(name)}\fR", _text(about))
    yield ".SH EXIT STATUS"
    yield "See \\fBbulkup upload\\fR above."


def _command(path: tuple[str, ...], command: Any) -> Iterator[str]:
    context = command.make_context(" ".join(path), [], resilient_parsing=True)
    if commands := getattr(command, "commands", None):
        for name, inner in commands.items():
            yield from _command((*path, name), inner)
        return
    yield f".SH BULKUP {' '.join(path).upper()}"
    arguments = [one for one in command.get_params(context) if one.param_type_name == "argument"]
    options = [one for one in command.get_params(context) if one.param_type_name == "option" and not one.hidden]
    shown = " ".join(rf"[\fI{_text(str(one.metavar or one.name))}\fR]" for one in arguments)
    yield rf"\fBbulkup {_text(' '.join(path))}\fR [\fIOPTION\fR]... {shown}".rstrip()
    for paragraph in str(command.help or "").split("\n\n"):
        yield ".PP"
        yield "\n.br\n".join(_text(line.strip()) for line in paragraph.splitlines())
    for option in options:
        yield from (".TP", _names(option), _text(str(option.help or "")))
    for name, inner in getattr(command, "inner", {}).items():
        yield from _command((*path, name), inner)


def _names(option: Any) -> str:
    names = ", ".join(rf"\fB{_text(name)}\fR" for name in (*option.opts, *option.secondary_opts))
    takes = "" if option.is_flag or not option.metavar else rf" \fI{_text(option.metavar)}\fR"
    return names + takes


def _text(text: str) -> str:
    """Return text that man(7) shows unchanged."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped
