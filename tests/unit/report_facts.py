"""Facts of runs as reports take them, made without a journal."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from made_runs import BEGUN, MadeRun, made_journal

from bulkup.api.run_report import gather
from bulkup.journal import Reader
from bulkup.reports.next_commands import JournalOptions
from bulkup.reports.run_report.run_facts import RunFacts

OPTIONS = JournalOptions("--profile nightly", "--profile nightly")
HOSTILE_REASON = "<script>alert(1)</script>\u202egnp.exe\x1b[31m\n| **bold** `x` &"  # SQLite takes no surrogates
HOSTILE = f"{HOSTILE_REASON} \udcff"


def facts_of(folder: Path, *runs: MadeRun, number: int | None = None, **changes: Any) -> RunFacts:
    """Return the facts of the last of these runs, or of the one with a number from 1."""
    path = made_journal(folder / "made.sqlite3", runs)
    with contextlib.closing(Reader(str(path))) as reader:
        return gather(reader, number or len(runs), lambda _: OPTIONS, BEGUN + 4000.0, **changes)
