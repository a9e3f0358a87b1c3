"""The progress of a run in words."""

from __future__ import annotations

import dataclasses

import pytest
from made_progress import COUNTING, HALF, progress

from bulkup.reports.progress_text import progress_line


def test_the_line_has_all_figures() -> None:
    assert progress_line(HALF) == (
        "42 %, 21,400 of 50,991 files, 208.9 MiB of 497.0 MiB, 1,204 files/s (mean 1,180), "
        "11.8 MiB/s (mean 11.5 MiB/s), 18 s elapsed, 25 s left, 3 failed, 12 retries"
    )


def test_totals_are_least_numbers_while_files_are_counted() -> None:
    line = progress_line(COUNTING)
    assert line.startswith("counting, 1,010 of at least 12,345 files, 4.0 GiB of at least 1.0 TiB, ")
    assert "time left unknown" in line
    assert "%" not in line


def test_without_a_count_the_scan_is_what_is_waited_for() -> None:
    assert progress_line(dataclasses.replace(COUNTING, counting=False)).startswith("scanning, 1,010 of at least ")


def test_a_finished_run_has_no_time_left() -> None:
    line = progress_line(progress(percent=100, eta=0.0, total_known=True, files_done=1, files_total=1, elapsed=3.0))
    assert line == "100 %, 1 of 1 file, 0 B of 0 B, 0.0 files/s (mean 0.0), 0 B/s (mean 0 B/s), 3.0 s elapsed"


@pytest.mark.parametrize(
    ("retries", "text"), [(0, "2 rejected"), (1, "2 rejected, 1 retry"), (2, "2 rejected, 2 retries")]
)
def test_problems_are_listed_by_number(retries: int, text: str) -> None:
    assert progress_line(progress(rejected=2, retries=retries)).endswith(f"unknown, {text}")
