"""Journals, runs, files and groups of failures as the page gets them.

Pure.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from bulkup.dashboard.file_index import ReasonGroup
from bulkup.dashboard.journal_list import JournalView
from bulkup.dashboard.run_figures import figure, missed_files
from bulkup.errors import ExitCode
from bulkup.journal.index_rows import FileKey
from bulkup.model.journal_rows import FileRecord, ManifestRow, OrphanRow, RunRow
from bulkup.model.reason_hints import hint_for
from bulkup.model.run_record import NotedFile, RunRecord, RunSample
from bulkup.model.states import DONE
from bulkup.reports.exit_code import exit_code_text
from bulkup.reports.json_text import public_remote_id, public_state
from bulkup.reports.safe_text import printable, printable_path

_BAD = frozenset({None, ExitCode.USAGE, ExitCode.SERVICE, ExitCode.LOCKED, ExitCode.MACHINE})
_WORDS: Mapping[int, str] = {
    ExitCode.OK: "Complete",
    ExitCode.FILES_FAILED: "Some failed",
    ExitCode.INCOMPLETE: "Incomplete",
    ExitCode.TIME_UP: "At its limit",
    ExitCode.SIGHUP: "Stopped",
    ExitCode.SIGINT: "Stopped",
    ExitCode.SIGTERM: "Stopped",
}
_LONGEST_REMOTE = 100  # entries of a service's answer


def journal_object(view: JournalView, *, with_runs: bool = True) -> dict[str, Any]:
    """Return a journal with its newest runs."""
    last = view.runs[0] if view.runs else None
    return {
        "id": view.id,
        "name": printable(view.profile or _title(view, last)),
        "profile": printable(view.profile) if view.profile is not None else None,
        "config_file": printable(view.config_file) if view.config_file is not None else None,
        "path": printable(view.path),
        "state": view.state,
        "message": printable(view.message),
        "hint": printable(view.hint),
        "provider": last.provider if last is not None else None,
        "base_url": last.base_url if last is not None else None,
        "sources": [printable_path(root) for root in last.sources] if last is not None else [],
        "last_run": run_object(last) if last is not None else None,
        "left": view.left,
        "runs": [run_object(run) for run in view.runs] if with_runs else [],
    }


def run_object(run: RunRow) -> dict[str, Any]:
    """Return a run with the figures that lists show. Figures that are not known are null."""
    seconds = max(0.0, run.ended_at - run.started_at) if run.ended_at is not None else None
    uploaded, size = figure(run, "files", "uploaded"), figure(run, "bytes", "uploaded")
    return {
        "run": run.run,
        "started_at": run.started_at,
        "ended_at": run.ended_at,
        "seconds": seconds,
        "exit_code": run.exit_code,
        "ended": ended_text(run),
        "outcome": outcome(run),
        "word": outcome_word(run),
        "running": run.running,
        "provider": printable(run.provider),
        "sources": [printable_path(root) for root in run.sources],
        "found": figure(run, "files", "found"),
        "uploaded": uploaded,
        "skipped": figure(run, "files", "skipped"),
        "missed": missed_files(run),
        "bytes": size,
        "bytes_per_second": size / seconds if size is not None and seconds else None,
        "files_per_second": uploaded / seconds if uploaded is not None and seconds else None,
    }


def run_details(run: RunRow, record: RunRecord | None) -> dict[str, Any]:
    """Return all that the journal has of a run. The summary of one that was cut off is that of its last record."""
    summary = run.summary if run.summary is not None or record is None else record.summary
    noted = replace(run, summary=summary) if summary else run
    return run_object(noted) | {
        "base_url": printable(run.base_url),
        "summary": summary or None,
        "samples": _points(run, record.samples) if record is not None else [],
        "error": printable(record.error) if record is not None and record.error else None,
        "hint": printable(record.hint) if record is not None and record.hint else None,
        "version": printable(record.version) if record is not None else None,
        "host": printable(record.host) if record is not None else None,
        "settings": {name: printable(text) for name, text in record.settings.items()} if record is not None else {},
        "slowest": [_noted(file) for file in record.slowest] if record is not None else [],
    }


def ended_text(run: RunRow) -> str:
    """Return in words how a run ended."""
    if run.exit_code is not None:
        return exit_code_text(run.exit_code)
    return "running" if run.running else "cut off before its end"


def outcome(run: RunRow) -> str:
    """Return `good`, `partial`, `bad` or `running`: how a run is marked."""
    if run.running:
        return "running"
    if run.exit_code == ExitCode.OK:
        return "good"
    return "bad" if run.exit_code in _BAD else "partial"


def outcome_word(run: RunRow) -> str:
    """Return the outcome in one or two words."""
    if run.exit_code is None:
        return "Running" if run.running else "Cut off"
    return _WORDS.get(run.exit_code, "Failed")


def group_object(group: ReasonGroup, sources: Mapping[int, bytes]) -> dict[str, Any]:
    """Return files that were not uploaded for the same reason, with advice."""
    return {
        "state": group.state.value,
        "reason": printable(group.reason),
        "name": group.reason,
        "files": group.files,
        "bytes": group.size,
        "hint": hint_for(group.example) or None,
        "example": printable(group.example),
        "path": printable_path(_full(sources.get(group.key.source, b""), group.key.path)),
    }


def file_object(key: FileKey, row: ManifestRow, runs: Mapping[int, tuple[str, float]]) -> dict[str, Any]:
    """Return a file as lists show it. Its key leads to its page."""
    run, started = runs.get(row.run, (None, None))
    return {
        "key": [key.destination, key.source, encoded_path(key.path)],
        "path": printable_path(row.path),
        "source": printable_path(row.source),
        "status": public_state(row.status),
        "reason": printable(row.error) if row.error is not None else None,
        "size": row.size,
        "attempts": row.attempts,
        "remote_id": printable(public_remote_id(row.status, row.remote_id) or "") or None,
        "uploaded_at": row.uploaded_at if row.status in DONE else None,
        "run": run,
        "run_started_at": started,
    }


def record_object(key: FileKey, record: FileRecord, runs: Mapping[int, tuple[str, float]]) -> dict[str, Any]:
    """Return all that the journal has of a file."""
    row = record.row
    remote = {printable(str(name)): printable(str(value)) for name, value in list(row.remote.items())[:_LONGEST_REMOTE]}
    return file_object(key, row, runs) | {
        "hint": hint_for(row.error or "") or None,
        "provider": printable(row.provider),
        "base_url": printable(record.base_url),
        "remote": remote if row.status in DONE else {},
        "etag": printable(row.etag) if row.etag is not None and row.status in DONE else None,
        "checksum": row.checksum,
        "modified_at": row.identity.mtime_ns / 1e9,
        "kept_until": row.kept_until,
        "other_ids": [_other_id(other) for other in record.other_ids],
    }


def encoded_path(path: bytes) -> str:
    """Return a path for a URL."""
    return base64.urlsafe_b64encode(path).decode("ascii").rstrip("=")


def decoded_key(destination: str, source: str, path: str) -> FileKey:
    """Return the key of a file from the parts of a URL. Raises ValueError."""
    try:
        exact = base64.b64decode(path + "=" * (-len(path) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError("not a path") from error
    numbers = int(destination), int(source)
    if max(map(abs, numbers)) >> 63:
        raise ValueError("not a number of the journal")
    return FileKey(*numbers, exact)


def _title(view: JournalView, last: RunRow | None) -> str:
    """Return a name for a journal without a profile."""
    if last is None or not last.sources:
        return os.path.basename(view.path).removesuffix(".sqlite3")
    names = [printable_path(os.path.basename(root.rstrip(b"/")) or b"/") for root in last.sources]
    return f"{', '.join(names[:2])}{' …' if len(names) > 2 else ''} → {last.provider}"


def _other_id(other: OrphanRow) -> dict[str, Any]:
    return {
        "remote_id": printable(other.remote_id) if other.remote_id is not None else None,
        "kind": other.kind,
        "reason": printable(other.reason),
        "created_at": other.created_at,
        "run": other.run or None,
        "superseded_by": printable(other.superseded_by) if other.superseded_by is not None else None,
        "kept_until": other.kept_until,
    }


def _full(source: bytes, path: bytes) -> bytes:
    return source.rstrip(b"/") + b"/" + path if path else source


def sorted_runs(journals: Sequence[JournalView], most: int) -> list[dict[str, Any]]:
    """Return the newest runs of all journals, each with the id of its journal."""
    pairs = [(run, view) for view in journals for run in view.runs]
    pairs.sort(key=lambda pair: -pair[0].started_at)
    return [run_object(run) | {"journal": view.id} for run, view in pairs[:most]]


def _points(run: RunRow, samples: Sequence[RunSample]) -> list[dict[str, float]]:
    """Return the points of a chart: the time, the rate since the point before, and the workers."""
    found, before, sent = list[dict[str, float]](), 0.0, 0
    for sample in samples:
        if sample.at <= before:
            continue
        rate = (sample.bytes - sent) / (sample.at - before)
        found.append({"t": run.started_at + sample.at, "rate": max(0.0, rate), "workers": sample.concurrency})
        before, sent = sample.at, sample.bytes
    return found


def _noted(file: NotedFile) -> dict[str, Any]:
    return {
        "path": printable_path(file.path),
        "size": file.size,
        "seconds": file.seconds,
        "attempts": file.attempts,
    }
