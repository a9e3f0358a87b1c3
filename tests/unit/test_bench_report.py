"""The report of a bench, for people and for programs."""

from __future__ import annotations

import io
import json
from dataclasses import replace

from bench_world import NOW, choice, facts, trial
from rich.console import Console

from bulkup.model.journal_rows import ManifestRow
from bulkup.model.states import FileState
from bulkup.reports.bench_report import BenchReport, CreatedIds, bench_json, bench_text, created_objects
from bulkup.reports.bench_trials import DiskSpeed, RequestFigures
from bulkup.reports.json_text import dumps

MIB = 1024**2
REPORT = BenchReport(
    provider="magic-hour",
    base_url="https://api.example",
    files=256,
    sizes=(256 * 1024,),
    trials=(
        trial(choice(4), rate=40),
        trial(NOW, rate=100, storage=RequestFigures(900, 9, 9, 0.0123, 1.5)),
        trial(choice(64)),
    ),
    facts=facts(disk=DiskSpeed(100, 1000 * MIB, 1.0, cached=True)),
    created=CreatedIds(3000, 2, 5, "made.jsonl"),
    exit_code=0,
)


def shown(report: BenchReport, width: int = 100) -> str:
    out = io.StringIO()
    console = Console(file=out, width=width, soft_wrap=True, highlight=False)
    for part in bench_text(report):
        console.print(part)
    return out.getvalue()


def test_the_report_for_people() -> None:
    """The trials with the current settings marked, the verdict, the disk, advice, and the remaining ids."""
    text = shown(REPORT)
    (now,) = (line for line in text.splitlines() if line.strip().startswith("* 32"))
    assert " ".join(now.split()) == "* 32 100 100.0 25.0 12/1,500 50/100 0.0 % 1.0 % 30 %"
    assert "Best: 32 files at a time, 100 per call, 4 calls at a time: 100.0 files/s, 25.0 MiB/s." in text
    assert "Limited by " in text
    assert "Source: 1.0 GiB/s, 100.0 files/s (100 files read and hashed, perhaps from the page cache)." in text
    assert "Next: " in text
    left = "3,000 of files, 2 never used, up to 5 unknown. They are listed in made.jsonl"
    assert left in text
    assert max(map(len, text.splitlines()[:8])) <= 80


def test_calls_in_flight_are_shown_if_they_differ() -> None:
    """Otherwise the column is omitted."""
    more = replace(REPORT, trials=(*REPORT.trials, trial(choice(32, 100, 8))))
    assert "calls at" not in shown(REPORT).splitlines()[1]
    assert shown(more).splitlines()[1].split()[:5] == ["files", "at", "files", "calls", "at"]


def test_a_report_without_trials() -> None:
    """No table, no verdict and no remaining ids. A trial without requests has no times."""
    nothing = replace(REPORT, trials=(), created=CreatedIds())
    assert shown(nothing) == "Nothing was measured.\n"
    said = bench_json(nothing)
    assert (said["best"], said["limit"], said["advice"], said["trials"]) == (None, None, [], [])
    assert " - " in shown(replace(REPORT, trials=(trial(api=RequestFigures()),)))


def test_control_characters_in_the_name_of_the_manifest() -> None:
    """The name comes from the command line."""
    assert "\x1b]0" not in shown(replace(REPORT, created=CreatedIds(1, 0, 0, "\x1b]0;evil\x07")))


def test_the_report_for_programs() -> None:
    """One object with everything in the table, and more."""
    said = json.loads(dumps(bench_json(REPORT)))
    assert list(said) == [
        *("event", "exit_code", "provider", "base_url", "files", "sizes", "current", "trials", "disk", "best", "limit"),
        *("reason", "advice", "created"),
    ]
    assert said["current"] == {"concurrency": 32, "batch_size": 100, "calls_in_flight": 4}
    assert said["best"] == {"concurrency": 32, "batch_size": 100, "calls_in_flight": 4}
    first = said["trials"][1]
    assert (first["concurrency"], first["files_per_second"], first["bytes_per_second"]) == (32, 100.0, 25 * MIB)
    assert first["storage"] == {"count": 900, "throttled": 9, "failed": 9, "median": 0.0123, "p95": 1.5}
    assert said["disk"]["bytes_per_second"] == 1000 * MIB
    assert said["created"] == {"ids": 3000, "unused": 2, "unknown": 5, "manifest": "made.jsonl"}
    assert bench_json(replace(REPORT, facts=facts()))["disk"] is None


def test_every_id_is_listed() -> None:
    """Also the id of a file that was not completely uploaded, which a manifest omits."""
    row = ManifestRow(
        b"a", b"/s", 1, None, FileState.TICKETED, "local", "id-1", {"id": "id-1"}, None, 0, None, None, None
    )
    rows = [row, replace(row, remote_id=None), replace(row, status=FileState.UPLOADED, remote_id="id-2")]
    assert [(line["status"], line["remote_id"]) for line in created_objects(rows)] == [
        ("pending", "id-1"),
        ("uploaded", "id-2"),
    ]
