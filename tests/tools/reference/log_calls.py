"""Finds the calls of event loggers in the source."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from bulkup.model.log_events import LogEvent

ROOT = Path(__file__).resolve().parents[3]
LEVELS = ("debug", "info", "warning", "error", "exception", "critical")


class LogCall(NamedTuple):
    """A call of an event logger in the source. The fields are in the order of the call."""

    where: str
    event: str  # source text of the first argument
    level: str
    fields: tuple[str, ...]


def log_calls() -> Iterator[LogCall]:
    """Yield the log calls of all modules that have an event logger; the embedded server uses `logging`."""
    for path in sorted((ROOT / "bulkup").rglob("*.py")):
        text = path.read_text("utf-8")
        if "EventLogger(" in text:
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.Call) and (call := log_call(node, path.name)) is not None:
                    yield call


def log_call(node: ast.Call, module: str) -> LogCall | None:
    """Return a log call, None for a call of something else."""
    function = node.func
    if not isinstance(function, ast.Attribute) or function.attr not in LEVELS:
        return None
    if not re.fullmatch(r"(self\.)?_log", ast.unparse(function.value)):
        return None
    fields = tuple(keyword.arg or "**" for keyword in node.keywords)
    return LogCall(f"{module}:{node.lineno}", ast.unparse(node.args[0]), function.attr, fields)


def event_of(call: LogCall) -> LogEvent:
    """Return the event that a call names."""
    return LogEvent[call.event.removeprefix("LogEvent.")]
