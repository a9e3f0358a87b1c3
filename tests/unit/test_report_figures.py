"""Outcome, shares, failures and comparison of a report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from made_runs import DAY, FAILED, KILLED, MadeRun, history
from report_facts import facts_of

from bulkup.model.run_record import NotedFile
from bulkup.reports.run_report.report_figures import (
    compared_runs,
    comparison_text,
    failure_causes,
    outcome,
    shares,
    shown_path,
)

RUN = MadeRun(files=100, mean_size=1_000_000, seconds=100.0)


@pytest.mark.parametrize(
    ("code", "tone"),
    [(0, "good"), (1, "bad"), (3, "warn"), (4, "bad"), (6, "warn"), (7, "bad"), (130, "warn"), (None, "bad")],
)
def test_the_tone_follows_the_exit_code(code: int | None, tone: str, tmp_path: Path) -> None:
    assert outcome(facts_of(tmp_path, replace(RUN, exit_code=code))).tone == tone


def test_the_shares_add_up_to_the_files_found(tmp_path: Path) -> None:
    found = shares(facts_of(tmp_path, FAILED))
    assert [share.kind for share in found] == ["uploaded", "failed", "rejected", "changed", "unreadable"]
    assert sum(share.files for share in found) == FAILED.files


def test_causes_have_advice_an_example_and_the_next_command(tmp_path: Path) -> None:
    first, second, *_ = failure_causes(facts_of(tmp_path, FAILED))
    assert (first.files, first.status, first.size) == (22, "failed", 22 * FAILED.mean_size)
    assert first.example.startswith(b"/data/media/2025/10/interview/take-0007")
    assert first.commands == ["bulkup retry --profile nightly"]
    assert second.commands[0] == "bulkup upload --profile nightly --unsupported skip"


def test_causes_of_an_earlier_run_are_those_that_it_counted(tmp_path: Path) -> None:
    """A later run has replaced the rows of its files."""
    facts = facts_of(tmp_path, replace(FAILED, rows=False), replace(RUN, begun=RUN.begun + DAY), number=1)
    assert not facts.current
    assert [(cause.files, cause.example) for cause in failure_causes(facts)] == [
        (22, b""),
        (9, b""),
        (4, b""),
        (2, b""),
    ]


def test_a_killed_run_is_compared_by_its_last_figures(tmp_path: Path) -> None:
    this, *others = compared_runs(facts_of(tmp_path, *history(KILLED)))
    assert (this.this, this.ended, this.uploaded, this.missing) == (True, "cut off", 11_600, 8_400)
    assert len(others) == 10
    assert [run.started for run in others] == sorted((run.started for run in others), reverse=True)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        ((100.0, 200.0), "It sent data 50 % slower than the run before: 488.3 KiB/s on average, against 976.6 KiB/s."),
        ((100.0, 50.0), "It sent data 100 % faster than the run before: 1.9 MiB/s on average, against 976.6 KiB/s."),
        ((100.0, 101.0), "It sent data about as fast as the run before: 966.9 KiB/s on average."),
        ((100.0,), ""),
    ],
)
def test_the_comparison_is_a_sentence(seconds: tuple[float, ...], said: str, tmp_path: Path) -> None:
    runs = [replace(RUN, seconds=took, begun=RUN.begun + DAY * n) for n, took in enumerate(seconds)]
    assert comparison_text(compared_runs(facts_of(tmp_path, *runs))) == said


def test_paths_name_their_source_only_where_there_are_several() -> None:
    file = NotedFile(b"/a/", b"b/c", 1, 1.0, 1)
    assert (shown_path(file, [b"/a/"]), shown_path(file, [b"/a/", b"/d"])) == (b"b/c", b"/a/b/c")
