"""How long `bulkup report` takes for a run of many files: `python -m benchmarks.report`.

The journal is made here, without a run: one that ended with failures, and one that was cut off, whose files are counted
in the journal. The time is that of the whole process, the smallest of some rounds. If chromium is installed, it also
measures how long the page takes until it is loaded.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from made_runs import FAILED, KILLED, Failures, MadeRun, history, made_journal  # the path is set above

_REASONS = 20_000  # different texts, with an id of a request in each
_SECONDS, _BYTES, _LOADED = 3.0, 2_000_000, 1.0


def main() -> int:
    """Measure, print a line for each journal, and return 1 if one exceeds its limit."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.report", description=__doc__)
    parser.add_argument("--files", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    answers = [
        Failures("failed", f"storage answered 500 (request {n:06x})", 1, b"a/%06d.bin" % n) for n in range(_REASONS)
    ]
    runs = {
        "failed": replace(FAILED, files=options.files, failures=answers, rows=True),
        "cut off": replace(KILLED, files=options.files, failures=answers),
    }
    return max(_measured(name, run, options.rounds) for name, run in runs.items())


def _measured(name: str, run: MadeRun, rounds: int) -> int:
    with tempfile.TemporaryDirectory() as folder:
        journal, page = made_journal(Path(folder) / "made.sqlite3", history(run)), Path(folder) / "report.html"
        command = [sys.executable, "-m", "bulkup", "report", "--journal", str(journal), "-o", str(page)]
        seconds, cpu = min(_time(command) for _ in range(rounds))
        size, loaded = page.stat().st_size, _loading(page)
        shown = "-" if loaded is None else f"{loaded:.2f} s"
        print(
            f"{name}: {run.files:,} files, journal {journal.stat().st_size / 1e6:.0f} MB: written in {seconds:.2f} s "
            f"({cpu:.2f} s of CPU), {size / 1000:.0f} kB, loaded by chromium in {shown}"
        )
        return int(seconds > _SECONDS or size > _BYTES or (loaded or 0.0) > _LOADED)


def _time(command: list[str]) -> tuple[float, float]:
    begun, before = time.monotonic(), os.times()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return time.monotonic() - begun, cpu


def _loading(page: Path) -> float | None:
    """Return the seconds from the navigation to the event `load`, None without a chromium."""
    program = shutil.which("chromium")
    if program is None:
        return None
    from playwright.sync_api import sync_playwright  # noqa: PLC0415  # only if there is a browser

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        opened = browser.new_page()
        opened.goto(page.as_uri())
        timing = "performance.getEntriesByType('navigation')[0].loadEventEnd"
        loaded = float(opened.evaluate(timing)) / 1000
        browser.close()
    return loaded


if __name__ == "__main__":
    sys.exit(main())
