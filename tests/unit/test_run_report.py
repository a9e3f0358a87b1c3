"""Which facts a report has: of the newest run, of an older one, of a killed one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from made_runs import DAY, FAILED, KILLED, MadeRun, history
from report_facts import facts_of

from bulkup.api.run_report import FORMATS, GatheringOptions, render

RUN = MadeRun(files=10)


def test_only_runs_before_this_one_are_compared(tmp_path: Path) -> None:
    runs = [replace(RUN, begun=RUN.begun + DAY * n) for n in range(15)]
    facts = facts_of(tmp_path, *runs, number=13)
    assert [run.started_at for run in facts.earlier] == [RUN.begun + DAY * n for n in range(11, 1, -1)]
    assert not facts.current


def test_the_search_for_earlier_runs_is_bounded(tmp_path: Path) -> None:
    runs = [replace(RUN, begun=RUN.begun + DAY * n) for n in range(5)]
    assert len(facts_of(tmp_path, *runs, options=GatheringOptions(earlier=2)).earlier) == 2


def test_what_a_killed_run_left_is_counted_in_the_journal(tmp_path: Path) -> None:
    facts = facts_of(tmp_path, KILLED)
    assert (facts.left, facts.cut_off, facts.current) == (8_400, True, True)


def test_a_run_that_ended_has_left_what_its_summary_says(tmp_path: Path) -> None:
    assert facts_of(tmp_path, FAILED).left is None


@pytest.mark.parametrize("form", FORMATS)
def test_each_format_is_rendered(form: str, tmp_path: Path) -> None:
    text = render(facts_of(tmp_path, *history(FAILED)), form)
    assert "AccessDenied" in text
    assert text.endswith("\n") or form == "html"


def test_failures_whose_rows_are_gone_are_those_that_the_run_counted(tmp_path: Path) -> None:
    facts = facts_of(tmp_path, replace(FAILED, rows=False))
    assert sum(group.files for group in facts.groups) == 37
    assert not facts.current


@pytest.mark.parametrize("form", FORMATS)
def test_figures_beyond_all_sizes_are_left_out(form: str, tmp_path: Path) -> None:
    facts = facts_of(tmp_path, FAILED)
    summary = {**facts.summary, "files": {"found": 10**400, "uploaded": 10**399}}
    text = render(replace(facts, run=replace(facts.run, summary=summary)), form)
    assert "This run left no figures" in text
