"""The report of a bench for people and programs: a table of its trials, the verdict, and advice."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from bulkup.helpers.quick_dataclass import dataclass
from bulkup.model.journal_rows import ManifestRow
from bulkup.reports.bench_advice import advice
from bulkup.reports.bench_trials import BenchFacts, Choice, RequestFigures, Trial
from bulkup.reports.bench_verdict import Limit, Verdict, judge
from bulkup.reports.formatting import count_text, percent_text, rate_text
from bulkup.reports.manifest import manifest_object
from bulkup.reports.safe_text import printable

_MIB = 1024**2
_COLUMNS = (
    "files at\na time",
    "files\nper call",
    "calls at\na time",
    "files/s",
    "MiB/s",
    "upload\np50/p95",
    "API call\np50/p95",
    "starved",
    "slowed\ndown",
    "CPU",
)
_CALLS = 2  # this column is omitted if all its values are equal; the others fit 80 characters
_LIMITS = {
    Limit.THROTTLING: "throttling",
    Limit.RATE_LIMIT: "your own rate limit",
    Limit.CPU: "this machine's processor",
    Limit.API: "the service's API",
    Limit.DISK: "the disk",
    Limit.NETWORK: "the network or the storage",
    Limit.CONCURRENCY: "the number of files at a time",
    Limit.UNKNOWN: "an unknown cause",
}


@dataclass(frozen=True, slots=True)
class CreatedIds:
    """The numbers of remote ids that remain at the service: those of files, unused ones, and up to `unknown` more.

    `manifest` is the file that lists them, None if nothing remains.
    """

    ids: int = 0
    unused: int = 0
    unknown: int = 0
    manifest: str | None = None


@dataclass(frozen=True, slots=True)
class BenchReport:
    """The data of a bench's report. Each trial uploaded `files` files, with `sizes` in bytes in turn."""

    provider: str
    base_url: str | None
    files: int
    sizes: tuple[int, ...]
    trials: tuple[Trial, ...]
    facts: BenchFacts
    created: CreatedIds
    exit_code: int


def bench_text(report: BenchReport) -> Iterator[RenderableType]:
    """Yield the table and the lines below it."""
    if report.trials:
        yield trials_table(report.trials, report.facts)
        now = any(trial.choice == report.facts.current for trial in report.trials)
        yield Text(f"Times in ms, median and 95th percentile.{' * current settings' if now else ''}\n")
    verdict = judge(report.trials, report.facts)
    if verdict is None:
        yield Text("Nothing was measured.")
    else:
        yield Text("\n".join(_verdict_lines(verdict, report)))
    if created := _created_text(report.created):
        yield Text(created)


def bench_json(report: BenchReport) -> dict[str, Any]:
    """Return the report as one object, with times in seconds, rates per second, and shares from 0 to 1."""
    verdict = judge(report.trials, report.facts)
    steps = list(advice(verdict, report.trials, report.facts)) if verdict is not None else []
    return {
        "event": "bench",
        "exit_code": report.exit_code,
        "provider": report.provider,
        "base_url": report.base_url,
        "files": report.files,
        "sizes": list(report.sizes),
        "current": dataclasses.asdict(report.facts.current),
        "trials": [_trial_json(trial) for trial in report.trials],
        "disk": _disk_json(report.facts),
        "best": None if verdict is None else dataclasses.asdict(verdict.best.choice),
        "limit": None if verdict is None else verdict.limit.value,
        "reason": None if verdict is None else verdict.reason,
        "advice": steps,
        "created": dataclasses.asdict(report.created),
    }


def created_objects(rows: Iterable[ManifestRow]) -> Iterator[dict[str, Any]]:
    """Yield a line of the manifest for each file with a remote id, uploaded or not."""
    for row in rows:
        if row.remote_id is not None:
            yield manifest_object(row) | {"remote_id": row.remote_id}


def trials_table(trials: Sequence[Trial], facts: BenchFacts) -> Table:
    """Return the trials as a table, in their order, with the current settings marked."""
    same_calls = len({trial.choice.calls_in_flight for trial in trials}) == 1
    shown = [number for number in range(len(_COLUMNS)) if not (same_calls and number == _CALLS)]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 0, 0, 1))
    for number in shown:
        table.add_column(_COLUMNS[number], justify="right", no_wrap=True)
    for trial in trials:
        cells = _cells(trial, facts)
        table.add_row(*(cells[number] for number in shown))
    return table


def choice_text(choice: Choice) -> str:
    """Return settings in words: `16 files at a time, 100 per call, 4 calls at a time`."""
    at_a_time = 'concurrency = "auto"' if not choice.workers else f"{choice.workers} files at a time"
    return f"{at_a_time}, {choice.batch_size} per call, {count_text(choice.calls_in_flight, 'call')} at a time"


def _cells(trial: Trial, facts: BenchFacts) -> list[str]:
    choice = trial.choice
    mark = "* " if choice == facts.current else ""
    return [
        f"{mark}{choice.concurrency if choice.workers else f'auto {trial.came_to}'}",
        f"{choice.batch_size}",
        f"{choice.calls_in_flight}",
        f"{trial.files_per_second:,.1f}",
        f"{trial.bytes_per_second / _MIB:,.1f}",
        _quantiles(trial.storage),
        _quantiles(trial.api),
        percent_text(trial.starved),
        percent_text(max(trial.api.throttled_share, trial.storage.throttled_share)),
        percent_text(trial.cpu),
    ]


def _quantiles(requests: RequestFigures) -> str:
    if requests.median is None or requests.p95 is None:
        return "-"
    return f"{requests.median * 1000:,.0f}/{requests.p95 * 1000:,.0f}"


def _verdict_lines(verdict: Verdict, report: BenchReport) -> Iterator[str]:
    best = verdict.best
    rates = f"{best.files_per_second:,.1f} files/s, {rate_text(best.bytes_per_second)}"
    found = "" if best.choice.workers else f" ({best.came_to} at the end)"
    yield f"Best: {choice_text(best.choice)}{found}: {rates}."
    yield f"Limited by {_LIMITS[verdict.limit]}: {verdict.reason}."
    if disk := report.facts.disk:
        unsure = ", perhaps from the page cache" if disk.cached else ""
        yield (
            f"Source: {rate_text(disk.bytes_per_second)}, {disk.files_per_second:,.1f} files/s "
            f"({count_text(disk.files, 'file')} read and hashed{unsure})."
        )
    for step in advice(verdict, report.trials, report.facts):
        yield f"Next: {step}."


def _created_text(created: CreatedIds) -> str:
    parts = [
        text
        for number, text in (
            (created.ids, f"{created.ids:,} of files"),
            (created.unused, f"{created.unused:,} never used"),
            (created.unknown, f"up to {created.unknown:,} unknown"),
        )
        if number
    ]
    if not parts or created.manifest is None:
        return ""
    return f"Remote ids left at the service: {', '.join(parts)}. They are listed in {printable(created.manifest)}"


def _trial_json(trial: Trial) -> dict[str, Any]:
    fields = dataclasses.asdict(trial)
    rates = {"files_per_second": trial.files_per_second, "bytes_per_second": trial.bytes_per_second}
    return _rounded({**fields.pop("choice"), **fields, **rates})


def _rounded(fields: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _rounded(value) if isinstance(value, dict) else round(value, 4) if isinstance(value, float) else value
        for name, value in fields.items()
    }


def _disk_json(facts: BenchFacts) -> dict[str, Any] | None:
    disk = facts.disk
    if disk is None:
        return None
    rates = {"files_per_second": disk.files_per_second, "bytes_per_second": disk.bytes_per_second}
    return _rounded({**dataclasses.asdict(disk), **rates})
