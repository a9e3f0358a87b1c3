"""The log: structlog on standard error, for people or as JSON lines.

Events of single files have the level debug, so that info stays readable with ten million files. Secrets mask themselves
(`bulkup.helpers.secrets`): a value that is not plain is converted by `str`.
"""

from __future__ import annotations

import contextlib
import logging
import os
import string
import sys
from collections.abc import Callable, MutableMapping
from typing import Any, Literal, TextIO

import structlog
from rich.console import Console
from rich.text import Text

from bulkup.model.log_events import LogEvent
from bulkup.reports.json_text import dumps
from bulkup.reports.safe_text import printable

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_SENTENCES = {str(event): event.sentence for event in LogEvent}
_TRACES = ("exception", "stack")

_Event = MutableMapping[str, Any]
_WriteLine = Callable[[str], None]


def configure_logging(
    log_format: Literal["console", "json"] = "console",
    level: str = "info",
    stream: TextIO | None = None,
    console: Console | None = None,
) -> None:
    """Configure structlog for this process. Raises ValueError for a level that is not in `LEVELS`.

    Lines are written to `stream`, by default standard error. With a `console` they are printed above its live view. If
    the stream fails, lines are lost and the run continues.
    """
    if level.lower() not in LEVELS:
        raise ValueError(f"log level {level!r} is none of {', '.join(LEVELS)}")
    target = sys.stderr if stream is None else stream
    write = _to_stream(target) if console is None else _to_console(console)
    colors = _has_colors(target) if console is None else console.is_terminal and not console.no_color
    structlog.configure(
        processors=[*_common(), *(_console_chain(colors) if log_format == "console" else [_render_json])],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level.lower()]),
        logger_factory=lambda *_: LineLogger(write),
        # A cached logger would keep the stream of its first use.
        cache_logger_on_first_use=False,
    )


class LineLogger:
    """Writes the lines that structlog renders, and drops those that cannot be written."""

    def __init__(self, write: _WriteLine) -> None:
        self._write = write

    def msg(self, line: str) -> None:
        """Write one entry."""
        with contextlib.suppress(OSError):
            self._write(line)

    debug = info = warning = error = critical = exception = msg


def _to_stream(stream: TextIO) -> _WriteLine:
    def write(line: str) -> None:
        stream.write(f"{line}\n")
        stream.flush()

    return write


def _to_console(console: Console) -> _WriteLine:
    def write(line: str) -> None:
        try:
            # Soft wrap keeps long lines whole, so that they can be searched and copied.
            console.print(Text.from_ansi(line), soft_wrap=True)
        except OSError:
            console.quiet = True  # the console would otherwise keep all lines that it could not write

    return write


def _has_colors(stream: TextIO) -> bool:
    return stream.isatty() and not os.environ.get("NO_COLOR")


def _common() -> list[Any]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        # The plain traceback, because structlog's other ones print local variables.
        structlog.processors.format_exc_info,
    ]


def _console_chain(colors: bool) -> list[Any]:
    plain = structlog.dev.plain_traceback
    return [_escape, _render_sentence, structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=plain)]


def _render_json(_logger: Any, _method: str, event: _Event) -> str:
    return dumps(event).decode()


def _escape(_logger: Any, _method: str, event: _Event) -> _Event:
    """Escape all values before the renderer adds colours, which are control sequences too."""
    return {printable(key): _escaped(key, value) for key, value in event.items()}


def _render_sentence(_logger: Any, _method: str, event: _Event) -> _Event:
    """Replace the name of a known event by its sentence, and remove the fields that the sentence contains."""
    name = event["event"]
    if name not in _SENTENCES:
        return event
    sentence = _SENTENCES[name]
    shown = {field for _, field, _, _ in string.Formatter().parse(sentence) if field}
    rest = {key: value for key, value in event.items() if key not in shown}
    return rest | {"event": sentence.format_map(event)}


def _escaped(key: str, value: Any) -> Any:
    if key in _TRACES:
        # The prefix distinguishes lines of a traceback from log entries: an error's text may contain newlines.
        return "\n".join(f"  | {printable(line)}" for line in str(value).split("\n"))
    if value is None or isinstance(value, int | float):
        return value
    return printable(str(value))
