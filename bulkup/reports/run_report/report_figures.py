"""The figures of a report in the form in which all its formats show them: outcome, numbers, files, comparison.

Pure.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, NamedTuple

from bulkup.errors import ExitCode
from bulkup.model.journal_rows import FailureGroup, RunRow
from bulkup.model.reason_hints import hint_for
from bulkup.model.run_record import NotedFile
from bulkup.reports.exit_code import exit_code_text
from bulkup.reports.formatting import percent_text, rate_text
from bulkup.reports.json_text import time_text
from bulkup.reports.next_commands import next_commands
from bulkup.reports.run_report.run_facts import RunFacts, figure

Tone = Literal["good", "warn", "bad", "busy"]
_BAD = (ExitCode.FILES_FAILED, ExitCode.SERVICE, ExitCode.MACHINE)
NOT_UPLOADED = ("failed", "rejected", "changed", "unreadable")
_WORDS = {
    "uploaded": "uploaded",
    "skipped": "unchanged since an earlier run",
    "unsupported": "skipped, because the service does not accept them",
    "failed": "failed",
    "rejected": "rejected by the service or its rules",
    "changed": "changed or vanished while they were read",
    "unreadable": "could not be read",
    "remaining": "not reached",
}
COMPARED = 10
SIMILAR = 0.05  # a difference below this share is called none


class RunResult(NamedTuple):
    """How a run ended: a tone for its colour, a word, and the exit code, None without an end."""

    tone: Tone
    word: str
    exit_code: int | None


class ResultShare(NamedTuple):
    """Some of the files of a run: the kind, its meaning, their number."""

    kind: str
    meaning: str
    files: int


class FailureCause(NamedTuple):
    """Files of one status that were not uploaded for the same reason, with advice and the next commands.

    `example` is a file with this reason, empty if none is known; `its_reason` is its own one, empty if it is the same.
    """

    status: str
    reason: str
    files: int
    size: int
    hint: str
    example: bytes
    its_reason: str
    commands: Sequence[str]


class ComparedRun(NamedTuple):
    """A run of the comparison. `rate` is in bytes per second; figures are None if they are unknown."""

    run: str
    started: str
    seconds: float | None
    found: int | None
    uploaded: int | None
    missing: int | None
    rate: float | None
    ended: str
    this: bool


def outcome(facts: RunFacts) -> RunResult:
    """Return how the run ended."""
    code = facts.run.exit_code
    if code is None:
        return (
            RunResult("busy", "running", None)
            if facts.run.running
            else RunResult("bad", "cut off before its end", None)
        )
    return RunResult("good" if not code else "bad" if code in _BAD else "warn", exit_code_text(code), code)


def shares(facts: RunFacts) -> list[ResultShare]:
    """Return the files by what became of them, without kinds that no file is of."""
    unsupported = figure(facts.summary, "unsupported") or 0
    counts = {name: figure(facts.summary, "files", name) or 0 for name in ("uploaded", "skipped", *NOT_UPLOADED)}
    counts |= {"skipped": counts["skipped"] - unsupported, "unsupported": unsupported, "remaining": remaining(facts)}
    return [ResultShare(name, words, counts[name]) for name, words in _WORDS.items() if counts[name] > 0]


def remaining(facts: RunFacts) -> int:
    """Return the number of files that were found and did not reach an end."""
    if facts.cut_off and facts.left is not None:
        return facts.left
    return int(figure(facts.summary, "files", "remaining") or 0)


def not_uploaded(facts: RunFacts) -> int:
    """Return the number of files that the run tried and did not upload."""
    return sum(figure(facts.summary, "files", name) or 0 for name in NOT_UPLOADED)


def failure_causes(facts: RunFacts) -> list[FailureCause]:
    """Return why files were not uploaded, the most common cause first."""
    return [_cause(group, facts) for group in facts.groups]


def _cause(group: FailureGroup, facts: RunFacts) -> FailureCause:
    example = group.source.rstrip(b"/") + b"/" + group.path if group.path else b""
    return FailureCause(
        status=group.status.value,
        reason=group.reason,
        files=group.files,
        size=group.size,
        hint=hint_for(group.example),
        example=example,
        its_reason=group.example if group.example != group.reason and group.path else "",
        commands=next_commands(group.status, group.example, facts.options.running),
    )


def compared_runs(facts: RunFacts) -> list[ComparedRun]:
    """Return this run and those before it, the newest first."""
    this = facts.run if facts.run.summary else _with_figures(facts)
    return [_compared(this, this=True), *(_compared(run, this=False) for run in facts.earlier)]


def _with_figures(facts: RunFacts) -> RunRow:
    return replace(facts.run, summary=facts.summary or None)


def _compared(run: RunRow, *, this: bool) -> ComparedRun:
    summary = run.summary or {}
    seconds = figure(summary, "seconds")
    found, uploaded = figure(summary, "files", "found"), figure(summary, "files", "uploaded")
    sent = figure(summary, "bytes", "uploaded")
    names = (*NOT_UPLOADED, "remaining")
    missing = sum(figure(summary, "files", name) or 0 for name in names) if found is not None else None
    return ComparedRun(
        run=run.run,
        started=minute_text(run.started_at),
        seconds=seconds,
        found=found,
        uploaded=uploaded,
        missing=missing,
        rate=sent / seconds if sent and seconds else None,
        ended=exit_code_text(run.exit_code) if run.exit_code is not None else "running" if run.running else "cut off",
        this=this,
    )


def comparison_text(runs: Sequence[ComparedRun]) -> str:
    """Return how the throughput of the first run compares with that of the others; empty without any to compare."""
    this, others = runs[0], [run.rate for run in runs[1:] if run.rate is not None]
    if this.rate is None or not others:
        return ""
    usual = statistics.median(others)
    change = this.rate / usual - 1
    of = "the run before" if len(others) == 1 else f"the median of {len(others)} earlier runs"
    if abs(change) < SIMILAR:
        return f"It sent data about as fast as {of}: {rate_text(this.rate)} on average."
    how = f"{percent_text(abs(change))} {'faster' if change > 0 else 'slower'}"
    return f"It sent data {how} than {of}: {rate_text(this.rate)} on average, against {rate_text(usual)}."


def shown_path(file: NotedFile, sources: Sequence[bytes]) -> bytes:
    """Return the path of a file in its source, with the source if there are several."""
    return file.path if len(sources) == 1 else file.source.rstrip(b"/") + b"/" + file.path


def minute_text(unix: float) -> str:
    """Return a Unix time in UTC to the minute, without the name of the zone."""
    text = time_text(unix)
    return "-" if text is None else text[:16].replace("T", " ")
