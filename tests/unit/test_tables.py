"""Status, runs and orphans."""

from __future__ import annotations

import io
from typing import Any

import orjson
import pytest
from rich.console import Console, RenderableType

from bulkup.model.counters import Counters
from bulkup.model.journal_rows import JournalStatus, OrphanRow, PruneCounts, RunRow
from bulkup.model.states import FileState
from bulkup.reports.json_text import dumps
from bulkup.reports.runs_list import run_json
from bulkup.reports.summary import summary_object
from bulkup.reports.tables import (
    orphan_json,
    orphans_lines,
    pruned_json,
    pruned_text,
    status_json,
    status_text,
)


def run_row(**changes: Any) -> RunRow:
    values: dict[str, Any] = {
        "run": "r1",
        "started_at": 0.0,
        "ended_at": 200.0,
        "exit_code": 1,
        "provider": "xvid",
        "base_url": "https://x",
        "sources": (b"/data/[bold]\x1b[2J\xff",),
        "summary": summary_object("r1", 1, Counters(found=1500, uploaded=1499, failed=1), 200.0),
    }
    return RunRow(**(values | changes))


def orphan_row(**changes: Any) -> OrphanRow:
    values: dict[str, Any] = {
        "remote_id": "id\x1b]0;x\x07",
        "count": 1,
        "provider": "move-ugc",
        "source": b"/data",
        "path": b"[red]a\n.mp4",
        "reason": "expired",
        "created_at": 0.0,
        "run": "r1",
    }
    return OrphanRow(**(values | changes))


def status_row(**changes: Any) -> JournalStatus:
    values: dict[str, Any] = {
        "journal": "/j\x1b",
        "running": True,
        "files": {FileState.STORED: 1, FileState.PENDING: 2, FileState.UPLOADED: 3000, FileState.FAILED: 0},
        "bytes": {FileState.STORED: 10, FileState.PENDING: 20, FileState.UPLOADED: 2048},
        "orphans": 1,
        "unknown_ids": 20,
        "last_run": run_row(),
    }
    return JournalStatus(**(values | changes))


def shown(what: RenderableType, width: int = 200) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(what)
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert "\x1b" not in text
    assert "\x07" not in text
    return text


@pytest.mark.parametrize("width", [1, 20, 80])
def test_tables_fit_narrow_terminals(width: int) -> None:
    assert shown(status_text(status_row()), width)


def test_status_shows_files_in_progress_as_pending() -> None:
    text = shown(status_text(status_row()))
    assert "pending               3  30 B" in text
    assert "uploaded          3,000  2.0 KiB" in text
    assert "failed    " not in text
    assert "a run is in progress" in text
    assert "1 remote id created and never used" in text
    assert "up to 20 unknown ids (call cut off before its answer)" in text
    assert "Last run r1: started 1970-01-01T00:00:00.000Z, took 3 min 20 s, 1 (some files failed)" in text


def test_the_status_of_an_empty_journal() -> None:
    empty = status_row(running=False, files={}, bytes={}, orphans=0, unknown_ids=0, last_run=None)
    assert "no files yet" in shown(status_text(empty))
    assert status_json(empty)["last_run"] is None


def test_orphans_are_printed_one_by_one() -> None:
    coming = orphans_lines(iter([orphan_row(), orphan_row(remote_id=None, count=20, path=None, source=None)]))
    first, second = (shown(line) for line in coming)
    name = r"move-ugc id\x1b]0;x\x07 for [red]a\n.mp4"
    assert first == f"{name} (expired; 1970-01-01T00:00:00.000Z; run r1)\n"
    assert "up to 20 unknown ids (expired; " in second
    assert "for " not in second


def test_a_superseded_id_names_the_new_one() -> None:
    row = orphan_row(remote_id="old", reason="its file was uploaded again", superseded_by="new\x1b", kept_until=1.0)
    (line,) = (shown(line) for line in orphans_lines([row]))
    assert line.startswith(r"move-ugc old for [red]a\n.mp4 (its file was uploaded again as new\x1b; ")
    told = orphan_json(row)
    assert (told["kind"], told["superseded_by"]) == ("superseded", "new\x1b")
    assert told["kept_until"] == "1970-01-01T00:00:01.000Z"
    assert [orphan_json(orphan_row(remote_id=name))["kind"] for name in ("a", None)] == ["unused", "unknown"]


def test_status_shows_expired_uploads_and_superseded_ids() -> None:
    text = shown(status_text(status_row(superseded=2, expired=1)))
    assert "2 remote ids of files that were uploaded again" in text
    assert "1 file is past the time that the service keeps uploads" in text
    assert "--reupload-expired" in text
    assert "--reupload-expired" not in shown(status_text(status_row()))
    told = status_json(status_row(superseded=2, expired=1))
    assert (told["superseded"], told["expired"]) == (2, 1)


@pytest.mark.parametrize(("dry_run", "word"), [(True, "Would delete: "), (False, "Deleted: ")])
def test_pruning_prints_the_numbers_of_deleted_rows(dry_run: bool, word: str) -> None:
    pruned = PruneCounts(1, 2, 0, 1000, 4096, 1024)
    text = shown(pruned_text(pruned, 0.0, dry_run=dry_run))
    assert text.startswith(f"{word}1 run, 2 orphans, 0 superseded ids, 1,000 files never uploaded, from before 1970")
    assert ("4.0 KiB before, 1.0 KiB now" in text) is not dry_run
    told = pruned_json(pruned, 0.0, dry_run=dry_run)
    assert (told["event"], told["dry_run"], told["runs"], told["files"]) == ("prune", dry_run, 1, 1000)


def test_everything_has_a_json_form() -> None:
    assert orjson.loads(dumps(run_json(run_row())))["sources"][0]["path_b64"]
    assert orjson.loads(dumps(orphan_json(orphan_row())))["path"] == "[red]a\n.mp4"
    unknown = orphan_json(orphan_row(remote_id=None, count=20, path=None, source=None))
    assert (unknown["remote_id"], unknown["count"], unknown["path"]) == (None, 20, None)
    status = orjson.loads(dumps(status_json(status_row())))
    assert status["files"] == {"pending": 3, "uploaded": 3000}
    assert status["last_run"]["ended_at"] == "1970-01-01T00:03:20.000Z"


@pytest.mark.parametrize(("running", "word"), [(True, "running"), (False, "cut off")])
def test_the_lock_distinguishes_running_from_cut_off(running: bool, word: str) -> None:
    last = run_row(ended_at=None, exit_code=None, summary=None)
    text = shown(status_text(JournalStatus("j", running, {}, {}, 0, 0, last)))
    assert f"took -, {word}" in text
