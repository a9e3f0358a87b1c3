"""The figures of a run as metrics."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from bulkup.model.counters import Counters, Gauge
from bulkup.model.histogram import Histogram
from bulkup.reports.metrics.run_metrics import RunMetrics, RunTimes

DOCS = Path(__file__).parents[2] / "docs"
Values = dict[tuple[str, frozenset[tuple[str, str]]], float]


def metrics(counters: Counters, times: RunTimes | None = None) -> RunMetrics:
    gauge = Gauge(counters, lambda: {"sending": 3, "scanned": 0})
    return RunMetrics("nightly", "magic-hour", gauge, times or RunTimes(1000.0))


def text_of(metrics: RunMetrics) -> str:
    registry = CollectorRegistry()
    registry.register(metrics)
    return generate_latest(registry).decode()


def values(metrics: RunMetrics) -> Values:
    families = text_string_to_metric_families(text_of(metrics))
    return {
        (sample.name, frozenset(sample.labels.items()) - {("profile", "nightly")}): sample.value
        for family in families
        for sample in family.samples
    }


def labels(**given: str) -> frozenset[tuple[str, str]]:
    return frozenset(given.items())


def test_figures_of_a_run() -> None:
    counters = Counters(found=10, uploaded=6, failed=1, bytes_sent=700, presign_calls=2, retries=3, concurrency=16)
    counters.note_reason("failed", 'a "wrong"\nreason')
    counters.presign_seconds.add(0.07)
    found = values(metrics(counters))
    assert found["bulkup_files_total", labels(result="uploaded")] == 6
    assert found["bulkup_files_remaining", labels()] == 3
    assert found["bulkup_failures_total", labels(result="failed", reason='a "wrong"\nreason')] == 1
    assert found["bulkup_sent_bytes_total", labels()] == 700
    assert found["bulkup_stage_files", labels(stage="sending")] == 3
    assert found["bulkup_presign_seconds_bucket", labels(le="0.05")] == 0
    assert found["bulkup_presign_seconds_bucket", labels(le="0.1")] == 1
    assert found["bulkup_presign_seconds_bucket", labels(le="+Inf")] == 1
    assert found["bulkup_presign_seconds_sum", labels()] == pytest.approx(0.07)


def test_the_times_of_a_run() -> None:
    times = RunTimes(1000.0)
    going_on = values(metrics(Counters(), times))
    assert going_on["bulkup_run_active", labels()] == 1
    assert ("bulkup_run_exit_code", labels()) not in going_on
    assert ("bulkup_last_success_timestamp_seconds", labels()) not in going_on
    times.ended, times.exit_code, times.last_success = 1060.0, 0, 1060.0
    ended = values(metrics(Counters(), times))
    assert (ended["bulkup_run_active", labels()], ended["bulkup_run_exit_code", labels()]) == (0, 0)
    assert ended["bulkup_last_success_timestamp_seconds", labels()] == 1060


def test_a_duration_at_a_bound_counts_below_it() -> None:
    histogram = Histogram((1.0, 5.0))
    for seconds in (0.5, 1.0, 2.0, 9.0):
        histogram.add(seconds)
    assert (histogram.counts, histogram.sum) == ([2, 1, 1], 12.5)


@pytest.mark.parametrize("name", ["alerts.yml", "dashboard.json"])
def test_alerts_and_dashboard_name_metrics_that_exist(name: str) -> None:
    times = RunTimes(1000.0, 1060.0, 0, 1060.0)
    counters = Counters()
    counters.note_reason("failed", "x")
    known = {name for name, _ in values(metrics(counters, times))}
    named = set(re.findall(r"bulkup_[a-z_]+", (DOCS / "monitoring" / name).read_text()))
    assert named
    assert named <= known


def test_the_page_lists_every_metric() -> None:
    counters = Counters()
    counters.note_reason("failed", "x")
    text = text_of(metrics(counters, RunTimes(1000.0, 1060.0, 0, 1060.0)))
    page = (DOCS / "how-to" / "metrics.md").read_text()
    listed = set(re.findall(r"^\| `(bulkup_[a-z_]+)", page, re.MULTILINE))
    assert listed == set(re.findall(r"^# TYPE (bulkup_[a-z_]+)", text, re.MULTILINE))


def test_the_dashboard_is_valid_json_with_a_source_for_each_panel() -> None:
    panels = json.loads((DOCS / "monitoring" / "dashboard.json").read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert all(target["expr"] for panel in panels for target in panel["targets"])


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed (Debian: prometheus)")
def test_promtool_accepts_the_alerts(tmp_path: Path) -> None:
    rules = DOCS / "monitoring" / "alerts.yml"
    subprocess.run(["promtool", "check", "rules", str(rules)], check=True, capture_output=True)
    (tmp_path / "metrics.prom").write_text(text_of(metrics(Counters())))
    with (tmp_path / "metrics.prom").open("rb") as file:
        done = subprocess.run(["promtool", "check", "metrics"], stdin=file, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
