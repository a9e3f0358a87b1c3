"""The shell examples of the pages run, in order, and print what the pages show."""

from __future__ import annotations

from pathlib import Path

import pytest
from page_blocks import PAGES, ROOT, blocks_of
from page_world import problems_of, shown_in

QUICK = ("README.md", "docs/providers/magic-hour.md")
EXECUTED = [page for page in PAGES if any(block.is_shell and "not run" not in block.marks for block in blocks_of(page))]


def marked(page: Path) -> object:
    name = str(page.relative_to(ROOT))
    return pytest.param(page, id=name, marks=() if name in QUICK else (pytest.mark.slow,))


@pytest.mark.parametrize("page", [marked(page) for page in EXECUTED])
def test_the_examples_of_a_page_run(page: Path, tmp_path: Path) -> None:
    problems = problems_of(page, tmp_path)
    assert not problems, "\n".join(problems)


def test_the_quick_pages_are_executed() -> None:
    assert set(QUICK) <= {str(page.relative_to(ROOT)) for page in EXECUTED}


@pytest.mark.parametrize(
    ("shown", "same"),
    [
        ("run 0011aabbccdd: done\n3 files in 4.5 s\n", True),
        ("run 0011aabbccdd: done\n4 files in 4.5 s\n", False),
        ("...\n3 files in 1 s\n", True),
        ("run 0011aabbccdd: done\n", False),
        ("run 0011aabbccdd: done\n...\n", True),
    ],
)
def test_shown_output_is_compared(shown: str, same: bool) -> None:
    """Ids, times and rates differ between two runs, and the log is left out."""
    output = "run ffffaabbccdd: done\n2026-11-30T13:02:08.247021Z [info     ] run ended\n3 files in 0.5 s\n"
    assert shown_in(output, shown, how="") is same
    assert shown_in(output, "run 12345678: done\n9 files in 1 s\n", how="roughly")
