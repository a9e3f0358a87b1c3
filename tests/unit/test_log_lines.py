"""Log lines as text."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from bulkup.model.log_events import LogEvent
from bulkup.reports.log_lines import json_line, named_line, plain_line, systemd_json_line, systemd_line, without_run

SUMMARY: dict[str, Any] = {
    "exit_code": 3,
    "files": {"found": 8, "uploaded": 5, "failed": 0},
    "reasons": [{"status": "rejected", "reason": "too large", "files": 3}],
}


def test_figures_of_a_group_are_fields_of_their_own() -> None:
    """Those that are 0 are left out of lines for people."""
    line = plain_line("now", "info", LogEvent.RUN_ENDED, {"outcome": "incomplete", **SUMMARY})
    assert line.startswith("now [info     ] run ended: incomplete")
    assert "files.found=8 files.uploaded=5" in line
    assert "failed" not in line
    assert "too large" in line


def test_json_has_the_groups() -> None:
    assert orjson.loads(json_line("now", "info", LogEvent.RUN_ENDED, SUMMARY))["files"]["failed"] == 0


def test_a_named_line_can_be_searched_for() -> None:
    line = named_line("now", "warning", LogEvent.FILE_NOT_UPLOADED, {"path": "a", "run": "r"})
    assert line.split() == [*("now", "[warning", "]", "file", "not", "uploaded"), *line.split()[6:]]
    assert "event=file.not_uploaded path=a run=r" in line


@pytest.mark.parametrize(("level", "prefix"), [("debug", "<7>"), ("info", "<6>"), ("warning", "<4>"), ("error", "<3>")])
def test_lines_for_the_journal_have_a_priority_and_no_time(level: str, prefix: str) -> None:
    line = systemd_line("2026-01-01T00:00:00Z", level, LogEvent.RUN_STARTED, {"run": "r", "journal": "a b"})
    assert line == f"{prefix}run started event=run.started journal='a b' run=r"


def test_json_for_the_journal_has_a_priority_too() -> None:
    line = systemd_json_line("now", "warning", LogEvent.RUN_STARTED, {"run": "r"})
    assert orjson.loads(line.removeprefix("<4>"))["event"] == "run.started"


def test_the_id_of_the_run_can_be_left_out() -> None:
    assert without_run(plain_line)("now", "info", "e", {"run": "r", "a": 1}).split() == [
        "now",
        "[info",
        "]",
        "e",
        "a=1",
    ]


def test_lists_are_text_for_people_and_lists_in_json() -> None:
    reasons = [
        {"status": "rejected", "reason": "its type is not accepted", "files": 1200},
        {"status": "failed", "reason": "a 'quoted' reason", "files": 1},
    ]
    fields = {"reasons": reasons, "groups": [["a", 1], {"b": 2}], "empty": []}
    for line in (plain_line, named_line, systemd_line):
        text = line("now", "info", "some event", fields)
        assert "1,200 rejected: its type is not accepted; 1 failed: a 'quoted' reason" in text
        assert "groups='a; 1; b 2'" in text
        assert "empty=none" in text
        assert "[{" not in text
        assert "'status'" not in text
    assert orjson.loads(json_line("now", "info", "some event", fields))["reasons"] == reasons
