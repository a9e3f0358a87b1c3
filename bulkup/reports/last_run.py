"""How the last run of a journal ended, beside the files that it did not upload: for people and for programs.

Pure.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from bulkup.errors import ExitCode
from bulkup.model.journal_rows import RunRow
from bulkup.model.run_record import RunRecord
from bulkup.reports.formatting import count_text
from bulkup.reports.next_commands import JournalOptions
from bulkup.reports.runs_list import CUT_OFF, ended_how
from bulkup.reports.safe_text import printable
from bulkup.reports.summary import EMPTY_SOURCE

_ENDED_BY_AN_ERROR = (ExitCode.SERVICE, ExitCode.MACHINE)
_NOT_MET = "It did not meet these files, or they were not to be uploaded: they may be gone from the disk."


def last_run_object(
    last: RunRow | None, record: RunRecord | None, options: JournalOptions, journal: str, *, groups: bool
) -> dict[str, Any] | None:
    """Return how the last run ended for programs, None if the files of `bulkup failures` say all of it.

    `record` is the record of the run, `journal` the path of the journal, and `groups` says whether there are
    failed files. There is an object after an error, for a run that was cut off, and for an empty source. There is one
    for a complete run beside failed files too, because it has not met them.
    """
    if last is None or last.running:
        return None
    empty = _number(last.summary or {}, "empty_sources")
    cut_off, by_error = last.exit_code is None, last.exit_code in _ENDED_BY_AN_ERROR
    complete = last.exit_code == ExitCode.OK and groups
    if not (cut_off or by_error or empty or complete):
        return None
    error = record.error if record is not None and by_error else None
    hint = record.hint if record is not None and error else None
    if cut_off:
        hint = f"its log has its last lines; `bulkup doctor --journal {shlex.quote(journal)}` examines disk and journal"
    elif empty and not by_error:
        hint = EMPTY_SOURCE
    elif complete:
        hint = f"`{_without_older(options)}` leaves them out; {_deletes_rows(options)}"
    return {
        "event": "last_run",
        "run": last.run,
        "exit_code": last.exit_code,
        "cut_off": cut_off,
        "error": error or None,
        "hint": hint or None,
        "remaining": _number((last.summary or {}).get("files") or {}, "remaining"),
        "empty_sources": empty,
        "next": [_without_older(options) if complete else f"bulkup upload {options.running}".rstrip()],
    }


def last_run_lines(
    last: RunRow | None, record: RunRecord | None, options: JournalOptions, journal: str, *, groups: bool
) -> Iterator[str]:
    """Yield the same as lines for people, none where `last_run_object` returns None."""
    found = last_run_object(last, record, options, journal, groups=groups)
    if found is None or last is None:
        return
    run, remaining, hint = f"The last run {printable(last.run)}", found["remaining"], found["hint"]
    if found["cut_off"]:
        yield f"{run} was {CUT_OFF} before its end: by a kill, a crash or a power cut, or the journal's disk was full."
    elif last.exit_code in _ENDED_BY_AN_ERROR:
        remain = f"; {count_text(remaining, 'file')} {'remains' if remaining == 1 else 'remain'}" if remaining else ""
        end = ":" if found["error"] else ". Its log has the reason."
        yield f"{run} ended with {ended_how(last)}{remain}{end}"
        if found["error"]:
            yield f"  error: {printable(found['error'])}"
    elif found["empty_sources"]:
        yield f"{run} found no files: {EMPTY_SOURCE}"
        hint = None
    else:
        yield f"{run} was complete. {_NOT_MET}"
        hint = _deletes_rows(options)
    if hint:
        yield f"  hint:  {printable(hint)}"
    for command in found["next"]:
        yield f"  next:  {printable(command)}"


def _without_older(options: JournalOptions) -> str:
    return " ".join(["bulkup failures", *filter(None, [options.reading]), "--since last"])


def _deletes_rows(options: JournalOptions) -> str:
    command = " ".join(["bulkup runs", *filter(None, [options.reading]), "--prune"])
    return f"`{command}` deletes their rows 90 days after the last run that met them"


def _number(figures: Mapping[str, Any], name: str) -> int:
    number = figures.get(name)
    return number if isinstance(number, int) else 0
