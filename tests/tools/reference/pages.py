"""All reference pages that are made from code, by their paths."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bulkup.config.settings_page import with_reference
from tools.reference import commands_page, exit_codes_page, journal_page, json_page
from tools.reference.page_tables import HEADINGS, with_table

WHOLE = {
    "docs/reference/commands.md": commands_page.page,
    "docs/reference/exit-codes.md": exit_codes_page.page,
    "docs/reference/json.md": json_page.page,
    "docs/reference/journal.md": journal_page.page,
}


def generated_pages(root: Path) -> Iterator[tuple[str, str]]:
    """Yield the path and the text of each page, as it should be."""
    for name, page in WHOLE.items():
        yield name, page().rstrip() + "\n"
    for name in HEADINGS:
        yield name, with_table((root / name).read_text("utf-8"), name)
    yield "docs/settings.md", with_reference((root / "docs/settings.md").read_text("utf-8"))
