"""Draws the pictures of a report in docs/images, from a run that is made here: `make captures`."""

from __future__ import annotations

import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from made_runs import BEGUN, FAILED, Failures, history, made_journal  # the path is set above
from playwright.sync_api import sync_playwright

from bulkup.api.run_report import gather
from bulkup.journal import Reader
from bulkup.reports.next_commands import JournalOptions
from bulkup.reports.run_report.html_report import html_report

SIZE = {"width": 1040, "height": 1500}
OPTIONS = JournalOptions("--profile nightly", "--profile nightly")
# Fewer causes, so that the figures over time are on the picture.
RUN = replace(FAILED, failures=(Failures("failed", "storage answered 403 AccessDenied", 37, b"interview/take-7.mov"),))


def main(folder: Path) -> None:
    """Write `report-light.png` and `report-dark.png` into a folder."""
    program = shutil.which("chromium") or sys.exit("chromium is not installed")
    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as made, sync_playwright() as driver:
        path = made_journal(Path(made) / "nightly.sqlite3", history(RUN))
        with Reader(str(path)) as reader:
            facts = gather(reader, 11, lambda _: OPTIONS, BEGUN + 4000.0)
        page_file = Path(made) / "report.html"
        page_file.write_text(html_report(replace(facts, journal="/var/lib/bulkup/nightly.sqlite3")), "utf-8")
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        for scheme in ("light", "dark"):
            context = browser.new_context(color_scheme=scheme, viewport=SIZE)  # type: ignore[arg-type]
            page = context.new_page()
            page.goto(page_file.as_uri())
            page.screenshot(path=folder / f"report-{scheme}.png")
            context.close()
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
