"""Loggers of events with fields. A program that uses the library receives the lines through structlog.

structlog imports rich, and both together take a tenth of the CPU time of a start. So they are imported for the first
line. The command never imports them: it has its lines rendered by a function of its own.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

Render = Callable[[str, str, Mapping[str, Any]], None]  # with level, event and fields


class EventLogger:
    """Logs under a name. `event` is a constant, and the fields hold what differs from one line to the next."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def debug(self, event: str, **fields: Any) -> None:
        """Log an event of interest for the search for an error."""
        self._log("debug", event, fields)

    def info(self, event: str, **fields: Any) -> None:
        """Log a step of the program."""
        self._log("info", event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        """Log an event that a user should know."""
        self._log("warning", event, fields)

    def error(self, event: str, **fields: Any) -> None:
        """Log a failure."""
        self._log("error", event, fields)

    def _log(self, level: str, event: str, fields: Mapping[str, Any]) -> None:
        if _render is not None:
            _render(level, event, fields)
        else:
            _to_structlog(self._name, level, event, fields)


_render: Render | None = None


def render_with(render: Render | None) -> None:
    """Pass all lines of this process to a function from now on. With None they go to structlog again."""
    global _render  # noqa: PLW0603  # a process has one log, as with structlog's own configuration
    _render = render


def _to_structlog(name: str, level: str, event: str, fields: Mapping[str, Any]) -> None:
    import structlog  # noqa: PLC0415  # see the docstring of the module

    if not structlog.is_configured():  # by the program; structlog's default is standard output
        structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    getattr(structlog.get_logger(name), level)(event, **fields)
