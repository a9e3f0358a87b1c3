"""The report as Markdown, for a ticket, a chat or a mail.

Text from outside is escaped: it is shown as it is, makes no link and no markup. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from bulkup.reports.run_report.page_view import page_view
from bulkup.reports.run_report.report_figures import outcome
from bulkup.reports.run_report.run_facts import RunFacts
from bulkup.reports.safe_text import printable

_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+\-.!|~>@:/])")
_CAUSES = 20
_FILES = 10


def markdown_report(facts: RunFacts) -> str:
    """Return the text."""
    return "\n".join(_lines(facts)) + "\n"


def escaped(text: str) -> str:
    """Return text from outside for Markdown, on one line. HTML that it contains is shown as text."""
    safe = printable(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _SPECIAL.sub(r"\\\1", safe)


def code(text: str) -> str:
    """Return text as a span of code, with a fence that the text does not contain."""
    safe = printable(text)
    fence = "`" * (max((len(run) for run in re.findall("`+", safe)), default=0) + 1)
    space = " " if safe.startswith("`") or safe.endswith("`") else ""
    return f"{fence}{space}{safe}{space}{fence}"


def _lines(facts: RunFacts) -> Iterator[str]:
    view, ended = page_view(facts), outcome(facts)
    yield f"# {escaped(view['headline'])}"
    yield ""
    yield f"**{escaped(ended.word.capitalize())}** · " + " · ".join(map(escaped, view["about"]))
    yield ""
    yield " ".join(map(escaped, view["sentences"]))
    if view["figures"]:
        yield from _table(("", "", ""), [(one.name, one.value, one.note) for one in view["figures"]])
    if view["steps"]:
        yield from _heading("Next steps")
        for text, command in view["steps"]:
            yield f"1. {escaped(text)}" + (f"<br>{code(command)}" if command else "")
    yield from _causes(view)
    if view["latency_charts"]:
        yield from _heading("How long requests took")
        for chart in view["latency_charts"]:
            figures = ", ".join(f"{name} {value}" for name, value in chart.figures)
            yield f"- {escaped(f'{chart.title} ({chart.note}): {figures}')}"
    for title, files in (("Slowest to send", view["slowest"]), ("Largest", view["largest"])):
        if files:
            yield from _heading(title)
            rows = [(file["path"], file["size"], file["took"], file["attempts"]) for file in files[:_FILES]]
            yield from _table(("file", "size", "took", "attempts"), rows)
    if len(view["compared"]) > 1:
        yield from _heading("Compared with earlier runs")
        yield escaped(view["comparison"])
        names = ("started", "took", "found", "uploaded", "missing", "rate", "ended")
        heads = ("started (UTC)", "took", "found", "uploaded", "not uploaded", "data per second", "ended")
        yield from _table(heads, [[run[name] for name in names] for run in view["compared"]])
    if view["settings"]:
        yield from _heading("Settings")
        yield from _table(("setting", "value"), [(name, "; ".join(lines)) for name, lines in view["settings"]])
    yield from _heading("About this run")
    yield from _table(("", ""), view["identity"])


def _causes(view: Any) -> Iterator[str]:
    yield from _heading("Why files were not uploaded" if view["causes"] else "Failures")
    if not view["causes"]:
        yield escaped(view["no_failures"])
    for cause in view["causes"][:_CAUSES]:
        yield f"- **{cause['files']}** x {escaped(cause['reason'])} ({escaped(cause['what'])})"
        if cause["hint"]:
            yield f"  - advice: {escaped(cause['hint'])}"
        if cause["example"]:
            yield f"  - example: {escaped(cause['example'])}"
        yield from (f"  - next: {code(command)}" for command in cause["commands"])
    if len(view["causes"]) > _CAUSES:
        yield f"- and {len(view['causes']) - _CAUSES} more reasons"


def _heading(text: str) -> Iterator[str]:
    yield from ("", f"## {text}", "")


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield from ("", f"| {' | '.join(heads)} |", "|" + "---|" * len(heads))
    yield from (f"| {' | '.join(map(escaped, row))} |" for row in rows)
