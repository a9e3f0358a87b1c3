"""The log of the command: on standard error, and in a log file.

Events of single files have the level debug, so that info stays readable with ten million files. structlog is not
imported here, because that takes longer than all lines of most runs.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import os
import sys
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TextIO

from bulkup.helpers.event_logger import render_with
from bulkup.helpers.systemd_stream import goes_to_systemd
from bulkup.model.log_events import LogEvent
from bulkup.reports.log_lines import (
    Line,
    colored_line,
    json_line,
    plain_line,
    systemd_json_line,
    systemd_line,
    without_run,
)

if TYPE_CHECKING:
    from rich.console import Console

LEVELS = ("debug", "info", "warning", "error")  # from the least to the most severe

# A person reads the summary itself.
_IN_SUMMARY = (LogEvent.RUN_ENDED, LogEvent.FILES_NOT_UPLOADED)

LogFormat = Literal["console", "json"]
_WriteLine = Callable[[str], None]


class LogTarget(NamedTuple):
    """A place for log lines: which events are written there, in which form, and by which function."""

    levels: Collection[str]
    hidden: Collection[str]
    line: Line
    write: _WriteLine


def configure_logging(
    log_format: LogFormat = "console",
    level: str = "info",
    stream: TextIO | None = None,
    console: Console | None = None,
    *,
    hidden: Collection[LogEvent] = (),
) -> None:
    """Configure the log of this process. Raises ValueError for a level that is not in `LEVELS`.

    Lines are written to `stream`, by default standard error. With a `console` they are printed above its live view. If
    the stream fails, lines are lost and the run continues. Events that are `hidden` are not written.
    """
    log_to(error_target(log_format, level, stream, console, hidden=hidden))


def log_to(*targets: LogTarget) -> None:
    """Write all lines of this process to these targets from now on."""

    def render(level: str, event: str, fields: Mapping[str, Any]) -> None:
        time = _now()
        for target in targets:
            if level in target.levels and event not in target.hidden:
                with contextlib.suppress(OSError):
                    target.write(target.line(time, level, event, fields))

    render_with(render)


def error_target(
    log_format: LogFormat,
    level: str,
    stream: TextIO | None = None,
    console: Console | None = None,
    *,
    hidden: Collection[LogEvent] = (),
) -> LogTarget:
    """Return the target on standard error, or on another stream. Raises ValueError for an unknown level."""
    target = sys.stderr if stream is None else stream
    write = _to_stream(target) if console is None else _to_console(console)
    systemd = console is None and goes_to_systemd(target)
    if log_format == "json":
        return LogTarget(levels_from(level), hidden, systemd_json_line if systemd else json_line, write)
    colors = _has_colors(target) if console is None else console.is_terminal and not console.no_color
    line: Line = systemd_line if systemd else colored_line if colors else plain_line
    if target.isatty() if console is None else console.is_terminal:
        line, hidden = without_run(line), {*hidden, *_IN_SUMMARY}
    # The error itself is printed, in a better form.
    return LogTarget(levels_from(level), {*hidden, LogEvent.RUN_FAILED}, line, write)


def levels_from(level: str) -> Collection[str]:
    """Return the levels that are shown. Raises ValueError for one that is not in `LEVELS`."""
    if level.lower() not in LEVELS:
        raise ValueError(f"log level {level!r} is none of {', '.join(LEVELS)}")
    return LEVELS[LEVELS.index(level.lower()) :]


def _to_stream(stream: TextIO) -> _WriteLine:
    def write(line: str) -> None:
        if not stream.closed:  # a program that uses the library may have closed or replaced it
            stream.write(f"{line}\n")
            stream.flush()

    return write


def print_above(console: Console, text: str) -> None:
    """Print lines above the live view of a console. If its terminal is closed, it becomes quiet."""
    from rich.text import Text  # noqa: PLC0415  # only a terminal needs rich

    try:
        # Soft wrap keeps long lines whole, so that they can be searched and copied.
        console.print(Text.from_ansi(text), soft_wrap=True)
    except OSError:
        console.quiet = True  # the console would otherwise keep all lines that it could not write


def _to_console(console: Console) -> _WriteLine:
    return functools.partial(print_above, console)


def _has_colors(stream: TextIO) -> bool:
    dumb = os.environ.get("TERM", "").lower() in ("dumb", "unknown")
    return stream.isatty() and not dumb and not os.environ.get("NO_COLOR")


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat().replace("+00:00", "Z")
