"""Loggers of events with fields.

A program that uses the library receives the lines through the standard `logging`, under the logger's name, or through
structlog if it has configured that. The process itself is not configured. The command has its lines rendered by a
function of its own (`render_with`).
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any

Render = Callable[[str, str, Mapping[str, Any]], None]  # with level, event and fields

_PACKAGE = "bulkup"  # the logger above all others
_CALLER = 4  # of the functions on the stack, from `_to_logging` on: the one that called a method of the logger
_shared: ContextVar[Mapping[str, Any] | None] = ContextVar("shared_log_fields", default=None)


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
        if shared := _shared.get():
            fields = {**shared, **fields}
        if _render is not None:
            _render(level, event, fields)
        elif "structlog" in sys.modules and sys.modules["structlog"].is_configured():
            getattr(sys.modules["structlog"].get_logger(self._name), level)(event, **fields)
        else:
            _to_logging(self._name, level, event, fields)


_render: Render | None = None


def render_with(render: Render | None) -> None:
    """Pass all lines of this process to a function from now on. With None they go to `logging` again."""
    global _render  # noqa: PLW0603  # a process has one log, as with the configuration of `logging`
    _render = render


@contextlib.contextmanager
def log_fields(**fields: Any) -> Iterator[None]:
    """Add fields to all lines that are logged inside the context, and by tasks and threads that are started there."""
    token = _shared.set({**(_shared.get() or {}), **fields})
    try:
        yield
    finally:
        _shared.reset(token)


def _to_logging(name: str, level: str, event: str, fields: Mapping[str, Any]) -> None:
    """Log a record with the attributes `event` and `fields`. Its text has both."""
    import logging  # noqa: PLC0415  # a command that logs nothing needs none

    package = logging.getLogger(_PACKAGE)
    if not package.handlers:
        # Otherwise `logging` prints warnings to standard error, in a program that has not configured it.
        package.addHandler(logging.NullHandler())
    logger, number = logging.getLogger(name), getattr(logging, level.upper())
    if logger.isEnabledFor(number):
        text = " ".join([str(event), *(f"{key}={_value_text(value)}" for key, value in fields.items())])
        extra = {"event": str(event), "fields": dict(fields)}
        logger.log(number, "%s", text, extra=extra, stacklevel=_CALLER)


def _value_text(value: Any) -> str:
    """Return a value on one line, without control characters."""
    text = str(value)
    return text if text.isprintable() and " " not in text else repr(text)
