"""The pages of the repository name files that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"\[[^\]]*\]\(([^)#]+)[^)]*\)")
PATH = re.compile(r"`((?:bulkup|tests|benchmarks|docs)/[^`\s]+)`")
GENERATED = {"benchmarks/results"}
# The changelog may name files of earlier versions.
PAGES = sorted(
    page
    for pattern in ("*.md", "docs/**/*.md", "benchmarks/*.md")
    for page in ROOT.glob(pattern)
    if page.name != "CHANGELOG.md"
)


def named_files(page: Path) -> set[str]:
    """Return the files that a page names, relative to the repository. A path in code may be a pattern."""
    text = page.read_text()
    links = {(page.parent / target).resolve() for target in LINK.findall(text) if "://" not in target}
    return {str(link.relative_to(ROOT)) for link in links} | {path.rstrip("/") for path in PATH.findall(text)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_that_a_page_names_exists(page: Path) -> None:
    assert [name for name in sorted(named_files(page) - GENERATED) if not any(ROOT.glob(name))] == []


@pytest.mark.parametrize("page", ["SECURITY.md", "docs/reliability.md"])
def test_pages_of_guarantees_name_their_tests(page: str) -> None:
    assert len([name for name in named_files(ROOT / page) if name.startswith("tests/")]) > 15
