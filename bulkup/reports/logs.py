"""The log of the command on standard error, for people or as JSON lines.

Events of single files have the level debug, so that info stays readable with ten million files. Secrets mask themselves
(`bulkup.helpers.secrets`): a value that is not plain is converted by `str`. Lines look like those of structlog, which
the library uses. It is not imported here, because that takes longer than all lines of most runs
(`bulkup.helpers.event_logger`).
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import string
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, TextIO

from bulkup.helpers.event_logger import render_with
from bulkup.model.log_events import LogEvent
from bulkup.reports.json_text import dumps
from bulkup.reports.safe_text import printable

if TYPE_CHECKING:
    from rich.console import Console

LEVELS = ("debug", "info", "warning", "error")  # from the least to the most severe
_SENTENCES = {str(event): event.sentence for event in LogEvent}
_WHOLE = "text"  # the field that says everything: no other one follows a sentence with it
_LEVEL_WIDTH = 9
_EVENT_WIDTH = 30
_QUOTED = frozenset(" \t=\r\n\"'")  # a value with one of these is quoted
_RESET, _BOLD, _DIM, _CYAN, _MAGENTA = "\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[36m", "\x1b[35m"
_LEVEL_COLORS = {"debug": "\x1b[32m", "info": "\x1b[32m", "warning": "\x1b[33m", "error": "\x1b[31m"}

_WriteLine = Callable[[str], None]


def configure_logging(
    log_format: Literal["console", "json"] = "console",
    level: str = "info",
    stream: TextIO | None = None,
    console: Console | None = None,
) -> None:
    """Configure the log of this process. Raises ValueError for a level that is not in `LEVELS`.

    Lines are written to `stream`, by default standard error. With a `console` they are printed above its live view. If
    the stream fails, lines are lost and the run continues.
    """
    if level.lower() not in LEVELS:
        raise ValueError(f"log level {level!r} is none of {', '.join(LEVELS)}")
    shown = LEVELS[LEVELS.index(level.lower()) :]
    target = sys.stderr if stream is None else stream
    write = _to_stream(target) if console is None else _to_console(console)
    colors = _has_colors(target) if console is None else console.is_terminal and not console.no_color
    line_of = _json_line if log_format == "json" else _colored_line if colors else _plain_line

    def render(level: str, event: str, fields: Mapping[str, Any]) -> None:
        if level in shown:
            with contextlib.suppress(OSError):
                write(line_of(_now(), level, event, fields))

    render_with(render)


def _to_stream(stream: TextIO) -> _WriteLine:
    def write(line: str) -> None:
        stream.write(f"{line}\n")
        stream.flush()

    return write


def _to_console(console: Console) -> _WriteLine:
    from rich.text import Text  # noqa: PLC0415  # only a terminal needs rich

    def write(line: str) -> None:
        try:
            # Soft wrap keeps long lines whole, so that they can be searched and copied.
            console.print(Text.from_ansi(line), soft_wrap=True)
        except OSError:
            console.quiet = True  # the console would otherwise keep all lines that it could not write

    return write


def _has_colors(stream: TextIO) -> bool:
    dumb = os.environ.get("TERM", "").lower() in ("dumb", "unknown")
    return stream.isatty() and not dumb and not os.environ.get("NO_COLOR")


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat().replace("+00:00", "Z")


def _json_line(time: str, level: str, event: str, fields: Mapping[str, Any]) -> str:
    return dumps({**fields, "event": event, "level": level, "timestamp": time}).decode()


def _plain_line(time: str, level: str, event: str, fields: Mapping[str, Any]) -> str:
    sentence, rest = _sentence(event, fields)
    values = [f"{key}={value}" for key, value in rest]
    return " ".join([time, f"[{level:<{_LEVEL_WIDTH}}]", f"{sentence:<{_EVENT_WIDTH}}", *values]).rstrip(" ")


def _colored_line(time: str, level: str, event: str, fields: Mapping[str, Any]) -> str:
    sentence, rest = _sentence(event, fields)
    name = f"[{_LEVEL_COLORS[level]}{_BOLD}{level:<{_LEVEL_WIDTH}}{_RESET}]"
    values = [f"{_CYAN}{key}{_RESET}={_MAGENTA}{value}{_RESET}" for key, value in rest]
    return " ".join([f"{_DIM}{time}{_RESET}", name, f"{_BOLD}{sentence:<{_EVENT_WIDTH}}{_RESET}", *values])


def _sentence(event: str, fields: Mapping[str, Any]) -> tuple[str, list[tuple[str, str]]]:
    """Return the sentence of an event, and the fields that it does not contain, in the order of their names.

    All text is escaped here, before colours are added, which are control sequences too.
    """
    safe = {printable(key): _escaped(value) for key, value in fields.items()}
    sentence = _SENTENCES.get(event, printable(event))
    if event not in _SENTENCES:
        return sentence, [(key, _quoted(safe[key])) for key in sorted(safe)]
    inside = {field for _, field, _, _ in string.Formatter().parse(sentence) if field}
    if _WHOLE in inside:
        return sentence.format_map(safe), []
    return sentence.format_map(safe), [(key, _quoted(safe[key])) for key in sorted(safe.keys() - inside)]


def _escaped(value: Any) -> Any:
    """Return a value without control characters. Numbers stay numbers: a sentence may format them."""
    return value if value is None or isinstance(value, int | float) else printable(str(value))


def _quoted(value: Any) -> str:
    return repr(value) if not isinstance(value, str) or _QUOTED.intersection(value) else value
