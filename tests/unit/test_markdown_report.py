"""The report as Markdown: complete, and text from outside makes no markup."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from made_runs import FAILED, Failures, MadeRun, history
from report_facts import HOSTILE, HOSTILE_REASON, facts_of

from bulkup.reports.run_report.markdown_report import code, escaped, markdown_report


def test_the_report_has_all_sections(tmp_path: Path) -> None:
    text = markdown_report(facts_of(tmp_path, *history(FAILED)))
    heads = [line for line in text.splitlines() if line.startswith("#")]
    assert heads == [
        r"# 19,963 of 20,000 files were uploaded",
        "## Next steps",
        "## Why files were not uploaded",
        "## How long requests took",
        "## Slowest to send",
        "## Largest",
        "## Compared with earlier runs",
        "## Settings",
        "## About this run",
    ]
    assert "1. Once the cause is mended, try 28 files again\\.<br>`bulkup retry --profile nightly`" in text


def test_text_from_outside_is_escaped() -> None:
    assert escaped(HOSTILE) == (
        r"&lt;script&gt;alert\(1\)&lt;\/script&gt;\\u202egnp\.exe\\x1b\[31m\\n\| \*\*bold\*\* \`x\` &amp; \\xff"
    )
    assert code("a ``b` c") == "```a ``b` c```"
    assert code("`") == "`` ` ``"


def test_a_report_with_hostile_names_has_one_row_for_each(tmp_path: Path) -> None:
    name = HOSTILE.encode("utf-8", "surrogateescape")
    failures = (Failures("failed", HOSTILE_REASON, 1, name),)
    run = replace(MadeRun(files=9, rows=True, exit_code=1), names=(name,), failures=failures)
    text = markdown_report(facts_of(tmp_path, run))
    assert "<script>" not in text
    assert all(line.count(" | ") == 3 for line in text.splitlines() if line.startswith("| &lt;script"))
