"""The report as text for a terminal."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from made_runs import FAILED, Failures, MadeRun, history
from report_facts import HOSTILE, HOSTILE_REASON, facts_of

from bulkup.reports.run_report.terminal_report import terminal_report


def test_the_report_has_outcome_steps_curves_and_comparison(tmp_path: Path) -> None:
    text = terminal_report(facts_of(tmp_path, *history(FAILED)))
    assert text.startswith("19,963 of 20,000 files were uploaded: some files failed (exit code 1)\n")
    for part in ("NEXT STEPS", "22 x storage answered 403 AccessDenied", "half within", "> 2025-12-01 01:00"):
        assert part in text
    assert "█ up to 10" in text
    assert max(map(len, text.splitlines())) <= 90


def test_curves_can_be_drawn_with_ascii(tmp_path: Path) -> None:
    assert terminal_report(facts_of(tmp_path, MadeRun(files=500)), blocks=False).isascii()


def test_control_characters_do_not_reach_the_terminal(tmp_path: Path) -> None:
    name = HOSTILE.encode("utf-8", "surrogateescape")
    failures = (Failures("failed", HOSTILE_REASON, 1, name),)
    run = replace(MadeRun(files=9, rows=True, exit_code=1), names=(name,), failures=failures)
    text = terminal_report(facts_of(tmp_path, run))
    assert not set("\u202e\x1b\udcff") & set(text)
