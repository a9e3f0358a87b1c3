"""The contents of the page, as text: the templates only place it.

Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from bulkup.model.run_record import NotedFile, RunRecord
from bulkup.reports.formatting import (
    count_text,
    duration_text,
    files_rate_text,
    rate_text,
    short_time_text,
    size_text,
)
from bulkup.reports.json_text import time_text
from bulkup.reports.run_report.chart_drawing import latency_charts, table_rows, time_charts
from bulkup.reports.run_report.report_figures import (
    ComparedRun,
    FailureCause,
    compared_runs,
    comparison_text,
    failure_causes,
    minute_text,
    outcome,
    shares,
    shown_path,
)
from bulkup.reports.run_report.report_words import headline, next_steps, no_failures_text, sentences
from bulkup.reports.run_report.run_facts import RunFacts, figure
from bulkup.reports.run_report.time_series import has_work

_NARROWEST = 0.6  # per cent of the bar; fewer files would not be seen
_RATE_BAR = 56  # pixels
_CAUSES = 50
_NO_RECORD = "The journal has no figures over time, durations or settings of this run"


class KeyFigure(NamedTuple):
    """A number of the first row."""

    name: str
    value: str
    note: str


def page_view(facts: RunFacts) -> Mapping[str, Any]:
    """Return the values of the templates."""
    record, ended = facts.record, outcome(facts)
    causes = failure_causes(facts)
    compared = compared_runs(facts)
    name = f"profile {record.profile}" if record is not None and record.profile else facts.run.provider
    return {
        "title": f"{headline(facts)} - bulkup {facts.run.run[:8]}",
        "outcome": ended,
        "badge": ended.word.capitalize() if ended.exit_code is None else f"{ended.word.capitalize()}",
        "about": [name, f"{minute_text(facts.run.started_at)} UTC", f"run {facts.run.run[:8]}"],
        "headline": headline(facts),
        "sentences": list(sentences(facts)),
        "figures": _key_figures(facts),
        "shares": _shares(facts),
        "shares_about": ", ".join(_share_text(share.files, share.meaning) for share in shares(facts)),
        "steps": next_steps(facts),
        "causes": [_cause(cause) for cause in causes[:_CAUSES]],
        "causes_note": _causes_note(facts, len(causes)),
        "no_failures": no_failures_text(facts),
        "time_charts": time_charts(record) if record is not None else (),
        "time_rows": table_rows(record) if record is not None else (),
        "recorded": record is not None,
        "no_charts": _no_charts(facts),
        "latency_charts": latency_charts(record) if record is not None else (),
        "no_latency": "No request was answered.",
        "url_figures": url_figures(facts),
        "slowest": _files(facts, record.slowest if record is not None else ()),
        "largest": _files(facts, record.largest if record is not None else ()),
        "compared": _compared(compared),
        "comparison": comparison_text(compared),
        "settings": _settings(record),
        "no_settings": "All settings had their defaults.",
        "identity": identity(facts),
    }


def url_figures(facts: RunFacts) -> list[KeyFigure]:
    """Return the figures of the calls for upload URLs; none for a run without any."""
    calls, files = figure(facts.summary, "presign", "calls"), figure(facts.summary, "presign", "files")
    if calls is None or files is None or not (calls or files):
        return []
    renewed, reused = figure(facts.summary, "presign", "renewed") or 0, figure(facts.summary, "reused_tickets") or 0
    uploaded = (figure(facts.summary, "files", "uploaded") or 0) - (figure(facts.summary, "already_there") or 0)
    found = [
        KeyFigure("Calls", f"{calls:,}", f"{files / calls:.1f} URLs each" if calls else "URLs are signed here"),
        KeyFigure("URLs issued", f"{files:,}", f"and {reused:,} reused" if reused else "for files and retries"),
        KeyFigure("Renewed", f"{renewed:,}", "expired or refused"),
    ]
    if facts.run.exit_code is not None:
        unused = max(0, files + reused - uploaded)
        found.append(KeyFigure("Without an upload", f"{unused:,}", "failed, renewed or left"))
    return found


def identity(facts: RunFacts) -> list[tuple[str, str]]:
    """Return what tells the run from others."""
    run, record = facts.run, facts.record
    found = [("run", run.run), ("started", time_text(run.started_at) or "-")]
    found += [("ended", time_text(run.ended_at) or "-")] if run.ended_at is not None else []
    found += [("exit code", str(run.exit_code))] if run.exit_code is not None else []
    found.append(("service", f"{run.provider} {run.base_url}".rstrip()))
    found += [("shard", run.shard)] if run.shard is not None else []
    found += [("source", root.decode("utf-8", "surrogateescape")) for root in run.sources]
    if record is not None:
        found += [("machine", record.host), ("bulkup", record.version)]
    return [*found, ("journal", facts.journal), ("report made", time_text(facts.made_at) or "-")]


def _key_figures(facts: RunFacts) -> list[KeyFigure]:
    summary, seconds = facts.summary, facts.seconds
    uploaded, sent = figure(summary, "files", "uploaded"), figure(summary, "bytes", "uploaded")
    if uploaded is None or sent is None or seconds is None:
        return []
    found = figure(summary, "files", "found") or 0
    retries, peak = figure(summary, "retries") or 0, figure(summary, "concurrency", "peak") or 0
    rate = sent / seconds if seconds else 0.0
    files_rate = uploaded / seconds if seconds else 0.0
    return [
        KeyFigure("Uploaded", f"{uploaded:,}", f"of {count_text(found, 'file')} found"),
        KeyFigure("Data", size_text(sent), f"of {size_text(figure(summary, 'bytes', 'found') or 0)} found"),
        KeyFigure("Time", duration_text(seconds), f"{count_text(retries, 'retry').replace('retrys', 'retries')}"),
        KeyFigure("Speed", rate_text(rate), f"{files_rate_text(files_rate)}, up to {peak:,} at a time")
        if uploaded
        else KeyFigure("Speed", "-", "no file was uploaded"),
    ]


def _no_charts(facts: RunFacts) -> str:
    """Return the sentence for a run without curves."""
    if facts.record is not None:
        idle = not has_work(facts.record.samples)
        return "Nothing had to be sent." if idle else "The run was too short for a curve."
    if facts.run.running:
        return f"{_NO_RECORD} so far."
    if facts.cut_off:
        return f"{_NO_RECORD}: it ended before it wrote any, or it was made by an earlier version of bulkup."
    return f"{_NO_RECORD}: it was made by an earlier version of bulkup."


def _shares(facts: RunFacts) -> list[Mapping[str, Any]]:
    found = shares(facts)
    total = sum(share.files for share in found)
    if not total:
        return []
    widths = [max(_NARROWEST, 100 * share.files / total) for share in found]
    scale, placed, x = 100 / sum(widths), list[Mapping[str, Any]](), 0.0
    for share, width in zip(found, widths, strict=True):
        placed.append(
            {
                "kind": share.kind,
                "text": _share_text(share.files, share.meaning),
                "x": round(x, 2),
                "width": round(max(0.1, width * scale - 0.2), 2),
            }
        )
        x += width * scale
    return placed


def _share_text(files: int, meaning: str) -> str:
    return f"{files:,} {meaning}"


def _cause(cause: FailureCause) -> Mapping[str, Any]:
    size = f", {size_text(cause.size)}" if cause.size else ""
    return {
        "files": f"{cause.files:,}",
        "reason": cause.reason,
        "what": f"{count_text(cause.files, 'file')} {cause.status}{size}",
        "hint": cause.hint,
        "example": cause.example.decode("utf-8", "surrogateescape"),
        "its_reason": cause.its_reason,
        "commands": cause.commands,
    }


def _causes_note(facts: RunFacts, number: int) -> str:
    if not facts.current:
        return "These are the most common reasons in this run. Later runs may have uploaded the files since."
    return f"The {_CAUSES} most common of {number:,} reasons." if number > _CAUSES else ""


def _files(facts: RunFacts, files: Sequence[NotedFile]) -> list[Mapping[str, str]]:
    return [
        {
            "path": shown_path(file, facts.run.sources).decode("utf-8", "surrogateescape"),
            "size": size_text(file.size),
            "took": short_time_text(file.seconds),
            "attempts": f"{file.attempts:,}",
            "again": f"{file.attempts:,} attempts" if file.attempts > 1 else "",
        }
        for file in files
    ]


def _compared(runs: Sequence[ComparedRun]) -> list[Mapping[str, Any]]:
    fastest = max((run.rate or 0.0 for run in runs), default=0.0) or 1.0
    return [
        {
            "started": run.started,
            "took": "-" if run.seconds is None else duration_text(run.seconds),
            "found": _count(run.found),
            "uploaded": _count(run.uploaded),
            "missing": _count(run.missing),
            "rate": rate_text(run.rate) if run.rate else "-",
            "bar": round(_RATE_BAR * (run.rate or 0.0) / fastest, 1),
            "ended": run.ended,
            "this": run.this,
        }
        for run in runs
    ]


def _count(number: int | None) -> str:
    return "-" if number is None else f"{number:,}"


def _settings(record: RunRecord | None) -> list[tuple[str, list[str]]]:
    return [(name, text.split("\n")) for name, text in record.settings.items()] if record is not None else []
