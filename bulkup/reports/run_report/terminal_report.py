"""The report as text for a terminal of 80 columns.

Pure.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from bulkup.reports.formatting import rate_text
from bulkup.reports.run_report.chart_drawing import latency_charts
from bulkup.reports.run_report.charts import number_text
from bulkup.reports.run_report.page_view import page_view
from bulkup.reports.run_report.report_figures import outcome
from bulkup.reports.run_report.run_facts import RunFacts
from bulkup.reports.run_report.time_series import points
from bulkup.reports.safe_text import printable

_COLUMNS = 80
_BLOCKS = "▁▂▃▄▅▆▇█"
_PLAIN_BLOCKS = "_.-=*#"
_FILES = 5
_CAUSES = 10


def terminal_report(facts: RunFacts, *, blocks: bool = True) -> str:
    """Return the text. Without `blocks`, curves are drawn with ASCII."""
    return "\n".join(_lines(facts, _BLOCKS if blocks else _PLAIN_BLOCKS)) + "\n"


def _lines(facts: RunFacts, marks: str) -> Iterator[str]:
    view, ended = page_view(facts), outcome(facts)
    code = f" (exit code {ended.exit_code})" if ended.exit_code is not None else ""
    yield printable(f"{view['headline']}: {ended.word}{code}")
    yield printable("  ".join(view["about"]))
    yield from _wrapped(" ".join(view["sentences"]))
    if view["steps"]:
        yield from _title("Next steps")
        for text, command in view["steps"]:
            yield from _wrapped(text)
            if command:
                yield f"  {printable(command)}"
    yield from _causes(view)
    yield from _curves(facts, view, marks)
    yield from _latency(facts)
    yield from _files("Slowest to send", view["slowest"])
    yield from _files("Largest", view["largest"])
    yield from _compared(view)


def _causes(view: Any) -> Iterator[str]:
    yield from _title("Why files were not uploaded" if view["causes"] else "Failures")
    if not view["causes"]:
        yield view["no_failures"]
    for cause in view["causes"][:_CAUSES]:
        yield f"{cause['files']} x {printable(cause['reason'])}"
        yield f"  {cause['what']}"
        if cause["hint"]:
            yield f"  advice:  {cause['hint']}"
        if cause["example"]:
            yield f"  example: {printable(cause['example'])}"
        yield from (f"  next:    {printable(command)}" for command in cause["commands"])
    if more := len(view["causes"]) - _CAUSES:
        yield from [f"and {more} more reasons: bulkup failures"] if more > 0 else []


def _curves(facts: RunFacts, view: Any, marks: str) -> Iterator[str]:
    yield from _title("Over time")
    found = points(facts.record.samples) if facts.record is not None else []
    if not view["time_charts"]:
        yield view["no_charts"]
        return
    series: Sequence[tuple[str, list[float], Any]] = (
        ("files/s", [point.files for point in found], number_text),
        ("data/s", [point.bytes for point in found], rate_text),
        ("limit", [float(point.concurrency) for point in found], number_text),
        ("waiting", [float(point.waiting) for point in found], number_text),
    )
    for name, values, text in series:
        yield f"{name:<8} {_curve(values, marks)} up to {text(max(values))}"


def _curve(values: Sequence[float], marks: str) -> str:
    top = max(values) or 1.0
    return "".join(marks[min(len(marks) - 1, int(value / top * len(marks)))] for value in values)


def _latency(facts: RunFacts) -> Iterator[str]:
    charts = latency_charts(facts.record) if facts.record is not None else []
    if charts:
        yield from _title("How long requests took")
    for chart in charts:
        yield f"{chart.title} ({chart.note})"
        yield "  " + ", ".join(f"{name} {value}" for name, value in chart.figures)


def _files(title: str, files: Sequence[Any]) -> Iterator[str]:
    if files:
        yield from _title(title)
    for file in files[:_FILES]:
        yield f"{file['size']:>10} {file['took']:>10}  {printable(file['path'])}"


def _compared(view: Any) -> Iterator[str]:
    runs = view["compared"]
    if len(runs) < 2:
        return
    yield from _title("Compared with earlier runs")
    if view["comparison"]:
        yield from _wrapped(view["comparison"])
    yield f"  {'started (UTC)':<16} {'took':>12} {'found':>10} {'uploaded':>10} {'missing':>8} {'data/s':>12}"
    for run in runs:
        mark = ">" if run["this"] else " "
        yield (
            f"{mark} {run['started']:<16} {run['took']:>12} {run['found']:>10} {run['uploaded']:>10} "
            f"{run['missing']:>8} {run['rate']:>12}"
        )


def _title(text: str) -> Iterator[str]:
    yield ""
    yield text.upper()


def _wrapped(text: str) -> Iterator[str]:
    yield from textwrap.wrap(printable(text), _COLUMNS, break_long_words=False, break_on_hyphens=False)
