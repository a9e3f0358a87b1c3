"""The sentences of a report, for runs that ended in each way."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from made_runs import FAILED, KILLED, Failures, MadeRun
from report_facts import facts_of

from bulkup.reports.run_report.report_words import headline, next_steps, no_failures_text, sentences

SMALL = MadeRun(files=10, rows=True)


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (SMALL, "All 10 files were uploaded"),
        (replace(SMALL, files=1), "The only file was uploaded"),
        (replace(SMALL, skipped=10), "Nothing to send: All 10 files are unchanged"),
        (replace(SMALL, skipped=7), "All 3 new or changed files were uploaded"),
        (replace(SMALL, files=0), "No files were found"),
        (replace(SMALL, failures=(Failures("failed", "no", 9),), exit_code=1), "1 of 10 files was uploaded"),
        (replace(SMALL, exit_code=None, recorded=False), "This run left no figures"),
    ],
)
def test_the_headline_says_what_counts_most(run: MadeRun, said: str, tmp_path: Path) -> None:
    assert headline(facts_of(tmp_path, run)) == said


def test_a_failed_run_is_summarised_in_plain_words(tmp_path: Path) -> None:
    facts = facts_of(tmp_path, FAILED)
    assert list(sentences(facts)) == [
        "19,963 files with 11.9 GiB took 42 min 10 s: 7.9 files/s and 4.8 MiB/s on average.",
        "37 files were not uploaded: 22 failed, 9 rejected, 2 changed, 4 unreadable.",
    ]
    assert [command for _, command in next_steps(facts)] == [
        "bulkup retry --profile nightly",
        "bulkup failures --profile nightly",
    ]


@pytest.mark.parametrize(
    ("state", "files", "said"),
    [
        ("failed", 3, "3 files failed."),
        ("rejected", 1, "1 file was rejected."),
        ("rejected", 2, "2 files were rejected."),
        ("unreadable", 1, "1 file could not be read."),
    ],
)
def test_failures_of_one_kind_are_a_short_sentence(state: str, files: int, said: str, tmp_path: Path) -> None:
    run = replace(SMALL, failures=(Failures(state, "no", files),), exit_code=1)
    assert list(sentences(facts_of(tmp_path, run)))[-1] == said


def test_a_killed_run_says_so_and_how_to_resume(tmp_path: Path) -> None:
    facts = facts_of(tmp_path, KILLED)
    assert next(iter(sentences(facts))).startswith("This run was cut off before its end")
    assert next_steps(facts) == [
        (
            "8,400 files found so far are left. The same upload resumes where this run stopped.",
            "bulkup upload --profile nightly",
        )
    ]
    assert no_failures_text(facts) == "No files failed so far."


def test_a_killed_run_without_a_record_says_that_its_figures_are_missing(tmp_path: Path) -> None:
    facts = facts_of(tmp_path, replace(KILLED, recorded=False))
    assert list(sentences(facts)) == [
        "This run was cut off before its end, by a kill, a crash, a power cut or a full disk, and left no figures."
    ]
    assert no_failures_text(facts) == "This run left no figures, so its failures are unknown."


def test_the_error_that_ended_a_run_comes_with_its_hint(tmp_path: Path) -> None:
    facts = facts_of(
        tmp_path, replace(SMALL, exit_code=4, done=0.5, error="the API key is unknown.", hint="set api_key")
    )
    said = list(sentences(facts))
    assert said[-2:] == ["An error ended the run early: the API key is unknown.", "What to do: set api_key."]
