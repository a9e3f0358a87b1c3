"""The record that a run keeps of itself, as a row of the journal (`bulkup.model.run_record`).

The row is JSON. Of totals it has the differences from one sample to the next, which are short.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Any

from bulkup.journal.database import has_run_records, row_values
from bulkup.journal.reader import Reader
from bulkup.journal.writer import Statement
from bulkup.model.run_record import Durations, NotedFile, RunRecord, RunSample

_WRITE = "INSERT OR REPLACE INTO run_records (run_id, record) VALUES (?, ?)"
_READ = "SELECT record FROM run_records WHERE run_id = ?"
_TOTALS = ("files", "bytes", "failures", "retries")
_MILLISECONDS = 1000


def write_record(run_id: int, record: RunRecord) -> Statement:
    """Return the statement that replaces the record of a run."""
    return Statement(_WRITE, [(run_id, record_text(record))])


def read_record(reader: Reader, number: int) -> RunRecord | None:
    """Return the record of the run with this number; None for runs of versions that kept none.

    Of a run that was killed, it is the last one that was written. Raises `JournalError`.
    """
    if not has_run_records(reader.connection):
        return None
    rows = reader.rows(_READ, number)
    if not rows:
        return None
    with row_values(reader.path):
        return record_of(rows[0][0])


def record_text(record: RunRecord) -> str:
    """Return a record as text for its row."""
    value = {
        "version": record.version,
        "profile": record.profile,
        "host": record.host,
        "settings": dict(record.settings),
        "summary": dict(record.summary),
        "error": record.error,
        "hint": record.hint,
        "samples": _columns(record.samples),
        "api": _durations(record.api),
        "small_files": _durations(record.small_files),
        "large_files": _durations(record.large_files),
        "url_age": _durations(record.url_age),
        "slowest": [_file(file) for file in record.slowest],
        "largest": [_file(file) for file in record.largest],
    }
    return json.dumps(value, separators=(",", ":"))


def record_of(text: str) -> RunRecord:
    """Return the record that a row holds.

    Raises ValueError, TypeError, KeyError, AttributeError or OverflowError for a text that is none.
    """
    value = json.loads(text)
    return RunRecord(
        version=str(value["version"]),
        profile=_optional_text(value["profile"]),
        host=str(value["host"]),
        settings={str(name): str(shown) for name, shown in value["settings"].items()},
        summary=dict(value["summary"]),
        error=_optional_text(value["error"]),
        hint=_optional_text(value["hint"]),
        samples=_samples(value["samples"]),
        api=_loaded_durations(value["api"]),
        small_files=_loaded_durations(value["small_files"]),
        large_files=_loaded_durations(value["large_files"]),
        url_age=_loaded_durations(value["url_age"]),
        slowest=[_loaded_file(file) for file in value["slowest"]],
        largest=[_loaded_file(file) for file in value["largest"]],
    )


def _columns(samples: Sequence[RunSample]) -> dict[str, Any]:
    totals = {name: _differences(getattr(sample, name) for sample in samples) for name in _TOTALS}
    return {
        "at_ms": [round(sample.at * _MILLISECONDS) for sample in samples],
        **totals,
        "concurrency": [sample.concurrency for sample in samples],
        "depths": [list(sample.depths) for sample in samples],
    }


def _samples(columns: Mapping[str, Any]) -> list[RunSample]:
    totals = [list(accumulate(map(int, columns[name]))) for name in _TOTALS]
    times = [int(time) / _MILLISECONDS for time in columns["at_ms"]]
    depths = [tuple(map(int, one)) for one in columns["depths"]]
    found = [RunSample(*row) for row in zip(times, *totals, map(int, columns["concurrency"]), depths, strict=True)]
    for sample in found:
        _not_negative(*sample[:-1], *sample.depths)
    return found


def _differences(totals: Iterable[int]) -> list[int]:
    return [after - before for before, after in pairwise([0, *totals])]


def _durations(durations: Durations) -> dict[str, Any]:
    return {"bounds": durations.bounds, "counts": durations.counts, "sum": round(durations.sum, 3)}


def _loaded_durations(value: Mapping[str, Any]) -> Durations:
    found = Durations(tuple(map(float, value["bounds"])), tuple(map(int, value["counts"])), float(value["sum"]))
    _not_negative(*found.bounds, *found.counts, found.sum)
    if len(found.counts) != len(found.bounds) + 1 or (found.total and not found.bounds):
        raise ValueError(len(found.counts))
    return found


def _file(file: NotedFile) -> list[Any]:
    # JSON has no bytes. Surrogates, which stand for bytes that are not UTF-8, are escaped.
    source, path = (part.decode("utf-8", "surrogateescape") for part in (file.source, file.path))
    return [source, path, file.size, round(file.seconds, 4), file.attempts]


def _loaded_file(value: Sequence[Any]) -> NotedFile:
    source, path, size, seconds, attempts = value
    root, name = (str(part).encode("utf-8", "surrogateescape") for part in (source, path))
    found = NotedFile(root, name, int(size), float(seconds), int(attempts))
    _not_negative(found.size, found.seconds, found.attempts)
    return found


def _not_negative(*figures: float) -> None:
    """Raise ValueError if a figure is negative, infinite or no number: a chart cannot show it."""
    if not all(0 <= one < math.inf for one in figures):
        raise ValueError(figures)


def _optional_text(value: Any) -> str | None:
    return None if value is None else str(value)
