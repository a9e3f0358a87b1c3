"""Write results into documents, between the markers `<!-- NAME -->` and `<!-- /NAME -->`."""

from __future__ import annotations

import os

from benchmarks import table
from benchmarks.chart import chart
from benchmarks.figures import Results

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def publish(results: Results, root: str = _ROOT) -> None:
    """Write the tables into docs/performance.md and README.md, and the chart into docs/performance.svg.

    Raises ValueError if a document lacks its markers.
    """
    _replace(os.path.join(root, "docs", "performance.md"), "figures", table.whole(results))
    _replace(os.path.join(root, "README.md"), "speed", table.short(results))
    with open(os.path.join(root, "docs", "performance.svg"), "w", encoding="utf-8") as file:
        file.write(chart(results))


def replaced(text: str, name: str, content: str) -> str:
    """Return `text` with new content between the markers. Raises ValueError if they are missing."""
    first, last = f"<!-- {name} -->", f"<!-- /{name} -->"
    start, end = text.find(first), text.find(last)
    if not 0 <= start < end:
        raise ValueError(f"the markers {first} and {last} are missing")
    return f"{text[: start + len(first)]}\n\n{content}\n{text[end:]}"


def _replace(path: str, name: str, content: str) -> None:
    with open(path, encoding="utf-8") as file:
        text = file.read()
    with open(path, "w", encoding="utf-8") as file:
        file.write(replaced(text, name, content))
