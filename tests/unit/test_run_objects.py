"""Runs and files as the dashboard's page gets them."""

from __future__ import annotations

import pytest

from bulkup.dashboard.run_objects import ended_text, outcome, outcome_word, run_details, run_object
from bulkup.model.journal_rows import RunRow
from bulkup.model.run_record import RunRecord, RunSample


def run_row(code: int | None = 0, **values: object) -> RunRow:
    summary = {"files": {"found": 10, "uploaded": 6, "failed": 3, "remaining": 1}, "bytes": {"uploaded": 600}}
    ended = None if code is None else 160.0
    found = {"summary": summary if code is not None else None, "running": False} | values
    return RunRow("ab" * 16, 100.0, ended, code, "s3", "https://s3.example", (b"/data/\xff",), **found)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("code", "mark", "word"),
    [
        (0, "good", "Complete"),
        (1, "partial", "Some failed"),
        (3, "partial", "Incomplete"),
        (6, "partial", "At its limit"),
        (130, "partial", "Stopped"),
        (2, "bad", "Failed"),
        (4, "bad", "Failed"),
        (5, "bad", "Failed"),
        (7, "bad", "Failed"),
        (None, "bad", "Cut off"),
    ],
)
def test_the_outcome_of_a_run_in_a_word(code: int | None, mark: str, word: str) -> None:
    assert (outcome(run_row(code)), outcome_word(run_row(code))) == (mark, word)


def test_a_run_under_way_has_no_outcome_yet() -> None:
    row = run_row(None, running=True)
    assert (outcome(row), outcome_word(row), ended_text(row)) == ("running", "Running", "running")


def test_figures_of_a_run() -> None:
    found = run_object(run_row(1))
    assert (found["found"], found["uploaded"], found["missed"], found["skipped"]) == (10, 6, 4, None)
    assert (found["seconds"], found["bytes_per_second"], found["files_per_second"]) == (60, 10, 0.1)
    assert found["sources"] == ["/data/\\xff"]


def test_a_run_that_was_cut_off_has_the_figures_of_its_record() -> None:
    samples = [
        RunSample(0.0, 0, 0, 0, 0, 4, ()),
        RunSample(2.0, 1, 100, 0, 0, 8, ()),
        RunSample(4.0, 1, 50, 0, 0, 8, ()),
    ]
    summary = {"files": {"found": 7, "failed": 2}}
    record = RunRecord("1.0", None, "host", {"bwlimit": "5M"}, summary, "the disk is full", "free some space", samples)
    found = run_details(run_row(None), record)
    assert (found["found"], found["missed"], found["summary"]) == (7, 2, summary)
    assert found["samples"] == [{"t": 102.0, "rate": 50.0, "workers": 8}, {"t": 104.0, "rate": 0.0, "workers": 8}]
    assert (found["error"], found["hint"], found["settings"]) == (
        "the disk is full",
        "free some space",
        {"bwlimit": "5M"},
    )


def test_a_run_without_a_record_has_no_samples() -> None:
    found = run_details(run_row(0), None)
    assert (found["samples"], found["error"], found["slowest"]) == ([], None, [])
