"""Whether the last run alone tells how a journal stands."""

from __future__ import annotations

import pytest

from bulkup.dashboard.run_figures import figure, may_leave_files, missed_files
from bulkup.model.journal_rows import RunRow


def run(code: int | None, found: int, missed: int = 0) -> RunRow:
    summary = {"files": {"found": found, "failed": missed}} if code is not None else None
    return RunRow("ab" * 16, 100.0, 160.0, code, "s3", "https://s3.example", (b"/data",), summary)


def test_the_files_that_a_run_missed() -> None:
    assert missed_files(run(1, 10, 3)) == 3
    assert missed_files(run(None, 10)) is None
    assert figure(run(0, 10), "bytes", "found") is None


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ([], False),
        ([run(0, 100)], False),
        ([run(0, 2), run(1, 100, 7)], True),  # a retry of two
        ([run(0, 2), run(0, 3), run(1, 100, 7)], True),
        ([run(0, 100), run(1, 100, 7)], False),  # it met all files again
        ([run(0, 2), run(0, 100), run(1, 100, 7)], False),
        ([run(1, 2, 1), run(1, 100, 7)], False),  # the last run says it itself
        ([run(0, 2), run(None, 0), run(1, 100, 7)], True),  # what a run met that was cut off is not known
    ],
)
def test_a_complete_run_of_a_few_files_tells_nothing_of_the_others(runs: list[RunRow], expected: bool) -> None:
    assert may_leave_files(runs) is expected
