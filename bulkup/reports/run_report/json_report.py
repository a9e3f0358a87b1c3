"""The report as one JSON object, for programs.

Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bulkup.model.journal_rows import FailureGroup
from bulkup.model.run_record import STAGES, Durations, NotedFile, RunSample
from bulkup.reports.failure_report import failure_object
from bulkup.reports.json_text import dumps, path_fields, time_text
from bulkup.reports.run_report.report_words import headline, next_steps, sentences
from bulkup.reports.run_report.run_facts import RunFacts
from bulkup.reports.runs_list import run_json

_EVENT = "event"


def json_report(facts: RunFacts) -> str:
    """Return the object on one line. Docs/report.md describes it."""
    return dumps(report_object(facts)).decode("utf-8")


def report_object(facts: RunFacts) -> dict[str, Any]:
    """Return the report for programs. Times are RFC 3339, durations seconds, sizes bytes."""
    record = facts.record
    return {
        _EVENT: "report",
        "run": _without_event(run_json(facts.run)),
        "text": [headline(facts), *sentences(facts)],
        "summary": dict(facts.summary),
        "error": {"message": record.error, "hint": record.hint} if record is not None and record.error else None,
        "left": facts.left,
        "failures": [_failure(group, facts) for group in facts.groups],
        "failures_are_current": facts.current,
        "next": [{"text": text, "command": command or None} for text, command in next_steps(facts)],
        "samples": [_sample(sample) for sample in record.samples] if record is not None else None,
        "api_seconds": _durations(record.api) if record is not None else None,
        "small_file_seconds": _durations(record.small_files) if record is not None else None,
        "large_file_seconds": _durations(record.large_files) if record is not None else None,
        "url_age_seconds": _durations(record.url_age) if record is not None else None,
        "slowest": _files(record.slowest) if record is not None else None,
        "largest": _files(record.largest) if record is not None else None,
        "earlier_runs": [_without_event(run_json(run)) for run in facts.earlier],
        "settings": dict(record.settings) if record is not None else None,
        "profile": record.profile if record is not None else None,
        "host": record.host if record is not None else None,
        "version": record.version if record is not None else None,
        "journal": facts.journal,
        "made_at": time_text(facts.made_at),
    }


def _failure(group: FailureGroup, facts: RunFacts) -> dict[str, Any]:
    found = _without_event(failure_object(group, facts.options))
    return found if group.path else found | {"example": None}


def _sample(sample: RunSample) -> dict[str, Any]:
    depths = dict(zip(STAGES, sample.depths, strict=False))
    return {**sample._asdict(), "depths": depths}


def _durations(durations: Durations) -> dict[str, Any]:
    return {"bounds": durations.bounds, "counts": durations.counts, "sum": durations.sum}


def _files(files: Sequence[NotedFile]) -> list[dict[str, Any]]:
    return [
        {
            **path_fields("path", file.path),
            **path_fields("source", file.source),
            "size": file.size,
            "seconds": file.seconds,
            "attempts": file.attempts,
        }
        for file in files
    ]


def _without_event(found: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in found.items() if name != _EVENT}
