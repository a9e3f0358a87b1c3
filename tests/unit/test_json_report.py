"""The report as JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from made_runs import FAILED, MadeRun, history
from report_facts import HOSTILE, facts_of

from bulkup.model.run_record import STAGES
from bulkup.reports.run_report.json_report import json_report
from bulkup.reports.run_report.run_facts import RunFacts


def loaded(facts: RunFacts) -> dict[str, Any]:
    text = json_report(facts)
    assert "\n" not in text
    found: dict[str, Any] = json.loads(text)
    return found


def test_the_object_has_everything_that_the_page_shows(tmp_path: Path) -> None:
    found = loaded(facts_of(tmp_path, *history(FAILED)))
    assert (found["event"], found["run"]["exit_code"]) == ("report", 1)
    assert found["summary"]["files"]["uploaded"] == 19_963
    assert (found["failures"][0]["files"], found["failures"][0]["next"]) == (22, ["bulkup retry --profile nightly"])
    assert set(found["samples"][0]["depths"]) == set(STAGES)
    assert len(found["earlier_runs"]) == 10
    assert found["settings"]["min_age"] == "60"
    assert found["next"][0]["command"] == "bulkup retry --profile nightly"


def test_a_run_without_a_record_has_nulls(tmp_path: Path) -> None:
    found = loaded(facts_of(tmp_path, MadeRun(files=5, recorded=False)))
    assert [found[name] for name in ("samples", "slowest", "settings", "api_seconds", "error")] == [None] * 5


def test_names_that_are_no_text_have_their_bytes(tmp_path: Path) -> None:
    name = HOSTILE.encode("utf-8", "surrogateescape")
    (file,) = loaded(facts_of(tmp_path, replace(MadeRun(files=9), names=(name,))))["largest"]
    assert "path_b64" in file
