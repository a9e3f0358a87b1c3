"""The charts of a page: which series each has, its scale, and the words beside it.

Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bulkup.model.run_record import Durations, RunRecord
from bulkup.reports.formatting import duration_text, short_time_text, size_text
from bulkup.reports.run_report.charts import (
    BarChart,
    Chart,
    Line,
    bars_of,
    bound_text,
    bound_ticks,
    line_of,
    nice_top,
    number_text,
    time_ticks,
    value_ticks,
)
from bulkup.reports.run_report.time_series import Point, buckets, has_work, mean, points, within

_FEWEST = 3  # points of a curve
_BYTE_UNITS = (("GiB", 1024**3), ("MiB", 1024**2), ("KiB", 1024), ("B", 1))
_SHARES = ((0.5, "half within"), (0.95, "95 % within"), (0.99, "99 % within"))


def time_charts(record: RunRecord) -> list[Chart]:
    """Return the charts over time, none for a run that was too short for a curve or had nothing to send."""
    found = points(record.samples)
    if len(found) < _FEWEST or not has_work(record.samples):
        return []
    charts = [_files(found), _bytes(found), _at_a_time(found), _waiting(found)]
    return charts + ([_failures(found)] if found[-1].failures or found[-1].retries else [])


def latency_charts(record: RunRecord) -> list[BarChart]:
    """Return the histograms of durations that have any."""
    titles = (
        ("API requests", "request", record.api),
        ("Sending a file up to 1 MiB", "file", record.small_files),
        ("Sending a larger file, or a part of one", "file", record.large_files),
        ("Age of an upload URL when it is used", "URL", record.url_age),
    )
    return [_histogram(title, noun, durations) for title, noun, durations in titles if durations.total]


def _files(found: Sequence[Point]) -> Chart:
    values = [point.files for point in found]
    top = nice_top(max(values))
    line = line_of("files", "files", _times(found), values, top, area=True)
    return _chart("Files", "per second", [line], found, top, _mean_and_peak(values, number_text, found))


def _bytes(found: Sequence[Point]) -> Chart:
    largest = max(point.bytes for point in found)
    unit, size = next((unit for unit in _BYTE_UNITS if largest >= unit[1]), _BYTE_UNITS[-1])
    values = [point.bytes / size for point in found]
    top = nice_top(max(values))
    line = line_of("data", "bytes", _times(found), values, top, area=True)
    return _chart("Data sent", f"{unit} per second", [line], found, top, _mean_and_peak(values, number_text, found))


def _at_a_time(found: Sequence[Point]) -> Chart:
    limits, busy = [point.concurrency for point in found], [point.sending for point in found]
    top = nice_top(max(*limits, *busy, 1))
    lines = [
        line_of("being sent", "files", _times(found), busy, top, area=True),
        line_of("limit", "limit", _times(found), limits, top, steps=True, area=False),
    ]
    least, most = min(limits), max(limits)
    note = f"limit {least:,}" if least == most else f"limit {least:,} to {most:,}"
    return _chart("Files at the same time", "", lines, found, top, note)


def _waiting(found: Sequence[Point]) -> Chart:
    values = [point.waiting for point in found]
    top = nice_top(max(*values, 1))
    line = line_of("waiting", "limit", _times(found), values, top, area=True)
    return _chart("Files that wait", "for a URL or a free place", [line], found, top, f"at most {max(values):,}")


def _failures(found: Sequence[Point]) -> Chart:
    failures, retries = [point.failures for point in found], [point.retries for point in found]
    top = nice_top(max(*failures, *retries, 1))
    lines = [
        line_of("not uploaded", "failures", _times(found), failures, top, steps=True, area=True),
        line_of("retries", "limit", _times(found), retries, top, steps=True, area=False),
    ]
    note = f"{failures[-1]:,} not uploaded, {retries[-1]:,} retries"
    return _chart("Failures", "since the start", lines, found, top, note)


def _chart(title: str, unit: str, lines: Sequence[Line], found: Sequence[Point], top: float, note: str) -> Chart:
    seconds = found[-1].at
    about = f"{title} {unit} over {duration_text(seconds)}: {note}.".replace("  ", " ")
    return Chart(title, unit, note, about, lines, time_ticks(seconds), value_ticks(top))


def _mean_and_peak(values: Sequence[float], text: Callable[[float], str], found: Sequence[Point]) -> str:
    spans = [after - before for before, after in zip([0.0, *_times(found)[:-1]], _times(found), strict=True)]
    average = sum(value * span for value, span in zip(values, spans, strict=True)) / sum(spans)
    return f"mean {text(average)}, peak {text(max(values))}"


def _times(found: Sequence[Point]) -> list[float]:
    return [point.at for point in found]


def _histogram(title: str, noun: str, durations: Durations) -> BarChart:
    found, last = buckets(durations), durations.bounds[-1]
    limits = [(words, within(durations, share)) for share, words in _SHARES]
    figures = [
        (words, bound_text(limit) if limit is not None else f"over {bound_text(last)}") for words, limit in limits
    ]
    average = mean(durations)
    total = durations.total
    note = f"{total:,} {noun}{'' if total == 1 else 's'}"
    about = f"{title}: {note}; " + ", ".join(f"{words} {text}" for words, text in figures) + "."
    figures.insert(0, ("mean", short_time_text(average or 0.0)))
    return BarChart(title, note, about, bars_of(found, total), bound_ticks(found), figures)


def table_rows(record: RunRecord, most: int = 24) -> list[Sequence[str]]:
    """Return the figures over time as rows of a table, for those who do not read charts."""
    return [
        (
            duration_text(point.at),
            number_text(round(point.files, 1)),
            size_text(point.bytes),
            f"{point.sending:,}",
            f"{point.concurrency:,}",
            f"{point.waiting:,}",
            f"{point.failures:,}",
        )
        for point in points(record.samples, most)
    ]
