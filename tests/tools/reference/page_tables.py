"""Tables within pages that are made from code: log events, metrics, and the faults of the embedded server."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from bulkup.localserver.faults import FaultName, FaultPoint, points_of
from bulkup.model.counters import Counters, Gauge
from bulkup.model.log_events import LogEvent
from bulkup.reports.metrics.run_metrics import RunMetrics, RunTimes
from tools.reference.log_calls import event_of, log_calls

# The heading of each table, by its page. The rest of the table follows it, up to an empty line.
HEADINGS = {
    "docs/output.md": "| `event` | level | fields | sentence |",
    "docs/how-to/metrics.md": "| metric | further labels | meaning |",
    "docs/server.md": "| name | where | what happens |",
}
_WHERE = {
    frozenset({FaultPoint.PUT}): "store",
    frozenset({FaultPoint.API, FaultPoint.PRESIGN}): "APIs",
    frozenset({FaultPoint.PRESIGN}): "APIs",
    frozenset({FaultPoint.API, FaultPoint.PRESIGN, FaultPoint.PUT}): "APIs and store",
}


def with_table(text: str, page: str) -> str:
    """Return the text of a page with its table made anew."""
    heading = HEADINGS[page]
    before, found, after = text.partition(heading + "\n")
    if not found:
        raise ValueError(f"{page} has no table {heading}")
    rows = {"docs/output.md": _events, "docs/how-to/metrics.md": _metrics, "docs/server.md": _faults}[page](after)
    columns = heading.count("|") - 1
    rest = after.partition("\n\n")[2]
    return f"{before}{heading}\n{'|---' * columns}|\n" + ("\n".join(rows) + f"\n\n{rest}").rstrip() + "\n"


def _events(_: str) -> Iterator[str]:
    calls: dict[LogEvent, Any] = {}
    for call in log_calls():
        calls.setdefault(event_of(call), call)
    for event in LogEvent:
        call = calls[event]
        fields = ", ".join(f"`{name}`" for name in call.fields if name != "**")
        if event is LogEvent.PROGRESS:
            fields += ", and see below"
        yield f"| `{event}` | {call.level} | {fields or '-'} | {event.sentence} |"


def _metrics(after: str) -> Iterator[str]:
    """Yield a row for each metric. A meaning that was written by hand is kept."""
    meanings: Mapping[str, str] = dict(re.findall(r"^\| `([a-z_]+)` \| ?[^|]*\| (.*) \|$", after, re.MULTILINE))
    counters = Counters()
    counters.note_reason("failed", "x")
    times = RunTimes(1000.0, 1060.0, 0, 1060.0)
    for metric in RunMetrics("p", "local", Gauge(counters, lambda: {"stage": 1}), times).collect():
        name = metric.name + ("_total" if metric.type == "counter" else "")
        labels = [label for sample in metric.samples[:1] for label in sample.labels if label != "profile"]
        about = metric.documentation.rstrip(".")
        about = f"{about[:1].lower()}{about[1:]}" + (" (histogram)" if metric.type == "histogram" else "")
        shown = ", ".join(f"`{label}`" for label in labels)
        yield f"| `{name}` |{f' {shown}' if shown else ''} | {meanings.get(name, about)} |"


def _faults(after: str) -> Iterator[str]:
    """Yield a row for each fault. Its effect is written by hand and kept."""
    effects: Mapping[str, str] = dict(re.findall(r"^\| `([a-z0-9-]+)` \| [^|]* \| (.*) \|$", after, re.MULTILINE))
    for fault in FaultName:
        yield f"| `{fault}` | {_WHERE[points_of(fault)]} | {effects.get(fault, 'describe the fault here')} |"
