"""Log lines as text: for people, as JSON, and for the journal of systemd.

Secrets mask themselves (`bulkup.helpers.secrets`): a value that is not plain is converted by `str`. Plain lines look
like those of structlog. Pure.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from bulkup.helpers.systemd_stream import with_priority
from bulkup.model.log_events import LogEvent
from bulkup.reports.json_text import dumps
from bulkup.reports.safe_text import printable

Line = Callable[[str, str, str, Mapping[str, Any]], str]  # of time, level, event and fields

_SENTENCES = {str(event): event.sentence for event in LogEvent}
_WHOLE = "text"  # the field that says everything: no others follow a sentence with it, but those that name the line
_BESIDE_TEXT = frozenset({"event", "run"})
_REASON = {"status", "reason", "files"}  # why files were not uploaded, in the summary of a run
_LEVEL_WIDTH = 9
_EVENT_WIDTH = 30
_QUOTED = frozenset(" \t=\r\n\"'")  # a value with one of these is quoted
_RESET, _BOLD, _DIM, _CYAN, _MAGENTA = "\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[36m", "\x1b[35m"
_LEVEL_COLORS = {"debug": "\x1b[32m", "info": "\x1b[32m", "warning": "\x1b[33m", "error": "\x1b[31m"}


def json_line(time: str, level: str, event: str, fields: Mapping[str, Any]) -> str:
    """Return a JSON object."""
    return dumps({**fields, "event": event, "level": level, "timestamp": time}).decode()


def plain_line(time: str, level: str, event: str, fields: Mapping[str, Any]) -> str:
    """Return time, level, sentence and fields, without colours."""
    sentence, rest = _sentence(event, fields)
    values = [f"{key}={value}" for key, value in rest]
    return " ".join([time, f"[{level:<{_LEVEL_WIDTH}}]", f"{sentence:<{_EVENT_WIDTH}}", *values]).rstrip(" ")


def named_line(time: str, level: str, event: str, fields: Mapping[str, Any]) -> str:
    """Return a plain line with the name of the event among the fields, so that it can be searched for."""
    return plain_line(time, level, event, {**fields, "event": str(event)})


def colored_line(time: str, level: str, event: str, fields: Mapping[str, Any]) -> str:
    """Return a plain line in the colours of a terminal."""
    sentence, rest = _sentence(event, fields)
    name = f"[{_LEVEL_COLORS[level]}{_BOLD}{level:<{_LEVEL_WIDTH}}{_RESET}]"
    values = [f"{_CYAN}{key}{_RESET}={_MAGENTA}{value}{_RESET}" for key, value in rest]
    return " ".join([f"{_DIM}{time}{_RESET}", name, f"{_BOLD}{sentence:<{_EVENT_WIDTH}}{_RESET}", *values])


def systemd_line(_: str, level: str, event: str, fields: Mapping[str, Any]) -> str:
    """Return a line for the journal of systemd, which adds the time."""
    sentence, rest = _sentence(event, {**fields, "event": str(event)})
    return with_priority(level, " ".join([sentence, *(f"{key}={value}" for key, value in rest)]))


def systemd_json_line(time: str, level: str, event: str, fields: Mapping[str, Any]) -> str:
    """Return a JSON object for the journal of systemd."""
    return with_priority(level, json_line(time, level, event, fields))


def without_run(line: Line) -> Line:
    """Return a form of line without the id of the run, which is the same in all lines of a terminal."""

    def shorter(time: str, level: str, event: str, fields: Mapping[str, Any]) -> str:
        return line(time, level, event, {key: value for key, value in fields.items() if key != "run"})

    return shorter


def _sentence(event: str, fields: Mapping[str, Any]) -> tuple[str, list[tuple[str, str]]]:
    """Return the sentence of an event, and the fields that it does not contain, in the order of their names.

    All text is escaped here, before colours are added, which are control sequences too.
    """
    safe = {printable(key): _escaped(value) for key, value in _flat(fields)}
    sentence = _SENTENCES.get(event, printable(event))
    if event not in _SENTENCES:
        return sentence, [(key, _quoted(safe[key])) for key in sorted(safe)]
    inside = {field for _, field, _, _ in string.Formatter().parse(sentence) if field}
    shown = _BESIDE_TEXT & safe.keys() if _WHOLE in inside else safe.keys() - inside
    return sentence.format_map(safe), [(key, _quoted(safe[key])) for key in sorted(shown)]


def _flat(fields: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the fields; the figures of a group, such as `files`, each as a field of its own if it is not 0."""
    for key, value in fields.items():
        if isinstance(value, Mapping) and all(isinstance(part, int | float) for part in value.values()):
            yield from ((f"{key}.{name}", part) for name, part in value.items() if part)
        else:
            yield key, value


def _escaped(value: Any) -> Any:
    """Return a value without control characters. Numbers stay numbers: a sentence may format them."""
    return value if value is None or isinstance(value, int | float) else printable(_text(value))


def _text(value: Any) -> str:
    """Return a value as people read it, also the lists and tables that JSON lines have as such."""
    if isinstance(value, Mapping):
        if value.keys() == _REASON:
            return f"{value['files']:,} {value['status']}: {value['reason']}"
        return ", ".join(f"{key} {_text(part)}" for key, part in value.items())
    if isinstance(value, list | tuple):
        return "; ".join(map(_text, value)) or "none"
    return str(value)


def _quoted(value: Any) -> str:
    return repr(value) if not isinstance(value, str) or _QUOTED.intersection(value) else value
