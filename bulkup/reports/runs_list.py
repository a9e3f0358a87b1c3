"""The runs of a journal: lines of at most 80 columns for people, plain dicts for `--json`.

Pure.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bulkup.model.journal_rows import RunRow
from bulkup.reports.exit_code import exit_code_text
from bulkup.reports.formatting import rate_text
from bulkup.reports.json_text import path_fields, time_text
from bulkup.reports.safe_text import printable, printable_path

_TOO_LARGE = 1e30  # of a damaged journal
CUT_OFF = "cut off"  # a run whose end is not in the journal; in the column of `bulkup runs`, `cut`
SHOWN_ID = 8  # of the 32 digits of an id; commands take the beginning of an id
_HEADER = f"{'run':<8} {'started (UTC)':<16} {'took':>8} {'found':>9} {'uploaded':>9} {'missing':>7} {'rate':>11} exit"


def runs_lines(runs: Iterable[RunRow]) -> Iterator[str]:
    """Yield a line for each run, in the order given, under the service and the sources of several runs together.

    A file is missing if it was found and not uploaded. At the end come the meanings of the exit codes. Numbers with
    more than seven digits make a line longer.
    """
    before, codes, cut = None, set[int](), False
    for run in runs:
        of = _name(run), tuple(map(printable_path, run.sources))
        if of != before:
            if before is not None:
                yield ""
            yield f"{of[0]}: {', '.join(of[1])}"
            yield _HEADER
            before = of
        yield _line(run)
        codes |= {run.exit_code} if run.exit_code else set()
        cut = cut or (run.exit_code is None and not run.running)
    if before is None:
        yield "No runs yet."
    elif codes or cut:
        yield ""
        yield from (f"exit {code}: {exit_code_text(code)}" for code in sorted(codes))
        yield from [f"exit cut: {CUT_OFF} before its end"] * cut


def run_json(run: RunRow) -> dict[str, Any]:
    """Return one run for programs. Times are RFC 3339, and `summary` is the last line of the run.

    `seconds` is the duration, and the rates are those of uploaded files and bytes per second of it; null if unknown.
    """
    seconds = _seconds(run)
    return {
        "event": "run",
        "run": run.run,
        "started_at": time_text(run.started_at),
        "ended_at": time_text(run.ended_at),
        "seconds": seconds,
        "files_per_second": _rate(_figure(run, "files", "uploaded"), seconds),
        "bytes_per_second": _rate(_figure(run, "bytes", "uploaded"), seconds),
        "exit_code": run.exit_code,
        "running": run.running,
        "provider": run.provider,
        "base_url": run.base_url,
        "sources": [path_fields("path", source) for source in run.sources],
        "shard": run.shard,
        "summary": run.summary,
    }


def ended_how(run: RunRow) -> str:
    """Return the exit code of a run with its meaning, or why it has none."""
    if run.exit_code is None:
        return "running" if run.running else CUT_OFF
    return f"{run.exit_code} ({exit_code_text(run.exit_code)})"


def _name(run: RunRow) -> str:
    return printable(run.provider) + ("" if run.shard is None else f", shard {printable(run.shard)}")


def _line(run: RunRow) -> str:
    seconds = _seconds(run)
    rate = _rate(_figure(run, "bytes", "uploaded"), seconds)
    code = run.exit_code if run.exit_code is not None else "runs" if run.running else "cut"
    cells = [
        f"{printable(run.run)[:SHOWN_ID]:<8}",
        f"{_minute(run.started_at):<16}",
        f"{_clock(seconds):>8}",
        f"{_count(_figure(run, 'files', 'found')):>9}",
        f"{_count(_figure(run, 'files', 'uploaded')):>9}",
        f"{_count(_not_uploaded(run)):>7}",
        f"{rate_text(rate) if rate else '-':>11}",
        str(code),
    ]
    return " ".join(cells)


def _seconds(run: RunRow) -> float | None:
    if run.ended_at is None:
        return None
    return round(max(0.0, run.ended_at - run.started_at), 3)


def _figure(run: RunRow, group: str, name: str) -> int | None:
    figures: Any = (run.summary or {}).get(group)
    number = figures.get(name) if isinstance(figures, Mapping) else None
    return number if isinstance(number, int) and abs(number) < _TOO_LARGE else None


def _not_uploaded(run: RunRow) -> int | None:
    figures = [_figure(run, "files", name) for name in ("failed", "rejected", "changed", "unreadable", "remaining")]
    known = [number for number in figures if number is not None]
    return sum(known) if known else None


def _rate(amount: int | None, seconds: float | None) -> float | None:
    return round(amount / seconds, 3) if amount is not None and seconds else None


def _count(number: int | None) -> str:
    return "-" if number is None else f"{number:,}"


def _minute(unix: float) -> str:
    text = time_text(unix)
    return "-" if text is None else text[:16].replace("T", " ")


def _clock(seconds: float | None) -> str:
    """Return a duration as hours, minutes and seconds: `1:05:00`."""
    return "-" if seconds is None else str(dt.timedelta(seconds=round(seconds))).replace(" days, ", "d ")
