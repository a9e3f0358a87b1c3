"""The figures of docs/comparison.md are those of the table in the README."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
PAGE = (ROOT / "docs" / "comparison.md").read_text("utf-8")


def column(tool: str) -> list[float]:
    """Return bulkup's speed over that of a tool, in each scenario."""
    table = README[README.index("<!-- speed -->") : README.index("<!-- /speed -->")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line[:1] == "|"]
    place = rows[0].index(tool)
    return [float(row[place]) for row in rows[2:] if row[place]]


def test_the_ranges_are_measured() -> None:
    stated = re.findall(r"([\d.]+) to ([\d.]+) times (?:its speed|the speed of `([^`]+)`)", PAGE)
    measured = [column("rclone"), column("s5cmd"), column("curl --parallel")]
    assert [(low, high) for low, high, _ in stated] == [(f"{min(one):.2f}", f"{max(one):.2f}") for one in measured]


def test_statements_about_other_tools_have_sources() -> None:
    """Every link label is defined, and every definition is used."""
    defined = set(re.findall(r"^\[([a-z0-9-]+)\]: https://", PAGE, re.MULTILINE))
    used = set(re.findall(r"\]\[([a-z0-9-]+)\]", PAGE))
    assert defined == used
