"""The list of runs."""

from __future__ import annotations

from typing import Any

import pytest

from bulkup.model.counters import Counters
from bulkup.model.journal_rows import RunRow
from bulkup.reports.runs_list import run_json, runs_lines
from bulkup.reports.summary import summary_object

MIB = 1024**2
COUNTERS = Counters(found=9_999_999, uploaded=9_999_900, failed=9, rejected=90, bytes_uploaded=9_999_999 * MIB)


def run_row(**changes: Any) -> RunRow:
    values: dict[str, Any] = {
        "run": "0123456789abcdef" * 2,
        "started_at": 0.0,
        "ended_at": 10_000.0,
        "exit_code": 1,
        "provider": "magic-hour",
        "base_url": "https://x",
        "sources": (b"/data/media",),
        "summary": summary_object("r1", 1, COUNTERS, 10_000.0),
    }
    return RunRow(**(values | changes))


def test_a_run_is_one_line_of_at_most_80_columns() -> None:
    lines = list(runs_lines([run_row(), run_row(ended_at=None, exit_code=None, summary=None, running=True)]))
    assert lines[0] == "magic-hour: /data/media"
    assert lines[2] == "01234567 1970-01-01 00:00  2:46:40 9,999,999 9,999,900      99   1.0 GiB/s 1"
    assert lines[3].split() == ["01234567", "1970-01-01", "00:00", "-", "-", "-", "-", "-", "runs"]
    assert lines[4:] == ["", "exit 1: some files failed"]
    assert max(map(len, lines)) <= 80


def test_runs_to_another_service_have_a_heading_of_their_own() -> None:
    rows = [run_row(), run_row(provider="s3", exit_code=0), run_row(provider="s3", exit_code=None, ended_at=None)]
    lines = list(runs_lines(rows))
    assert [line for line in lines if ": /" in line] == ["magic-hour: /data/media", "s3: /data/media"]
    assert lines[-4].endswith("cut")
    assert lines[-2:] == ["exit 1: some files failed", "exit cut: cut off before its end"]


def test_names_are_printed_safely() -> None:
    lines = list(runs_lines([run_row(sources=(b"/data/[bold]\x1b[2J\xff",))]))
    assert lines[0] == r"magic-hour: /data/[bold]\x1b[2J\xff"


def test_without_a_run() -> None:
    assert list(runs_lines([])) == ["No runs yet."]


def test_lines_come_while_rows_are_read() -> None:
    """There may be many runs."""

    def rows() -> Any:
        yield run_row()
        raise AssertionError("the next row is not needed yet")

    lines = runs_lines(rows())
    assert next(lines).startswith("magic-hour")
    assert [next(lines)[:3] for _ in range(2)] == ["run", "012"]


def test_programs_get_duration_and_rates() -> None:
    found = run_json(run_row())
    assert found["seconds"] == 10_000.0
    assert found["files_per_second"] == pytest.approx(999.99)
    assert found["bytes_per_second"] == pytest.approx(999.9999 * MIB)
    assert found["sources"] == [{"path": "/data/media"}]


@pytest.mark.parametrize(
    "changes", [{"ended_at": None}, {"summary": None}, {"summary": {"files": 3}}, {"ended_at": 0.0}]
)
def test_a_rate_that_is_not_known_is_null(changes: dict[str, Any]) -> None:
    """Runs were cut off, took no time, or have a summary of another version."""
    assert run_json(run_row(**changes))["bytes_per_second"] is None
    assert list(runs_lines([run_row(**changes)]))


@pytest.mark.parametrize(("running", "word"), [(True, "runs"), (False, "cut")])
def test_a_run_without_an_end_is_running_or_cut_off(running: bool, word: str) -> None:
    row = run_row(ended_at=None, exit_code=None, summary=None, running=running)
    assert list(runs_lines([row]))[2].endswith(word)
    assert run_json(row)["running"] is running
