"""Figures of summaries, and whether the last run alone tells how a journal stands.

Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bulkup.errors import ExitCode
from bulkup.model.journal_rows import RunRow

_MISSED = ("failed", "rejected", "changed", "unreadable", "remaining")


def figure(run: RunRow, group: str, name: str) -> int | None:
    """Return a figure of a run's summary, None if it is not known."""
    figures: Any = (run.summary or {}).get(group)
    number = figures.get(name) if isinstance(figures, Mapping) else None
    return number if isinstance(number, int) else None


def missed_files(run: RunRow) -> int | None:
    """Return how many files a run did not upload, None if that is not known."""
    found = [number for name in _MISSED if (number := figure(run, "files", name)) is not None]
    return sum(found) if found else None


def may_leave_files(runs: Sequence[RunRow]) -> bool:
    """Return whether files may be left although the last run is complete: it may have been a retry of a few.

    So it is where an earlier run missed files, and met more of them than any complete run since. `runs` are the newest
    first.
    """
    if not runs or runs[0].exit_code != ExitCode.OK:
        return False
    largest = 0
    for run in runs:
        found = figure(run, "files", "found") or 0
        if run.exit_code == ExitCode.OK:
            largest = max(largest, found)
        elif missed_files(run) and found > largest:
            return True
    return False
