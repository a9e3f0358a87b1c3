"""`bulkup report`: of a real run, into a file or a pipe, and its errors."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
from pathlib import Path

import pytest
from e2e_world import World, run
from made_runs import FAILED, history, made_journal


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_journal(tmp_path_factory.mktemp("journals") / "nightly.sqlite3", history(FAILED))


def test_a_run_is_reported_in_each_format(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.fill(30)
    world.upload(*world.local).expect(0)
    page, text = tmp_path / "report.html", tmp_path / "report.md"
    named = ("--journal", str(world.journal), "--provider", "local")
    assert run("report", *named, "-o", str(page)).expect(0).out == f"{page}\n"
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    assert page.read_text("utf-8").startswith("<!doctype html>")
    run("report", "last", *named, "-o", str(text)).expect(0)
    assert text.read_text("utf-8").startswith("# All 30 files were uploaded")
    found = json.loads(run("report", *named, "--format", "json").expect(0).out)
    assert found["summary"]["files"]["uploaded"] == 30
    assert found["settings"]["provider"] == "local"


def test_a_run_is_named_by_the_beginning_of_its_id(journal: Path) -> None:
    first = json.loads(run("runs", "--journal", str(journal), "--json").expect(0).out.splitlines()[-1])
    named = ("--journal", str(journal), "--format", "json")
    found = json.loads(run("report", first["run"][:6], *named).expect(0).out)
    assert (found["run"]["run"], found["earlier_runs"]) == (first["run"], [])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nonesuch",), "the journal has no run nonesuch"),
        (("--format", "pdf"), "--format: expected html, markdown, terminal or json, not pdf"),
        (("--open", "--format", "json"), "--open shows a page, and the format is json"),
        (("-o", "{journal}"), "belongs to the journal"),
        (("/",), "to name a source, write --source /"),
    ],
)
def test_wrong_arguments_are_refused(arguments: tuple[str, ...], said: str, journal: Path) -> None:
    given = [part.format(journal=journal) for part in arguments]
    run("report", *given, "--journal", str(journal)).expect(2, said)


def test_a_file_that_cannot_be_written_is_an_error_and_leaves_nothing(journal: Path, tmp_path: Path) -> None:
    missing = tmp_path / "missing" / "report.html"
    run("report", "--journal", str(journal), "-o", str(missing)).expect(7, f"cannot write {missing}", "--output")
    assert os.listdir(tmp_path) == []


def test_a_journal_without_runs_or_of_a_newer_version_is_an_error(journal: Path, tmp_path: Path) -> None:
    empty, newer = made_journal(tmp_path / "empty.sqlite3", []), made_journal(tmp_path / "newer.sqlite3", [])
    run("report", "--journal", str(empty)).expect(2, "the journal has no runs yet")
    with sqlite3.connect(newer) as connection:
        connection.execute("PRAGMA user_version = 99")
    run("report", "--journal", str(newer)).expect(7, "is from a newer bulkup")


def test_a_report_replaces_an_older_one_and_keeps_its_mode(journal: Path, tmp_path: Path) -> None:
    """So a folder that a web server shows needs the mode set once."""
    page = tmp_path / "report.html"
    page.write_text("old")
    page.chmod(0o644)
    run("report", "--journal", str(journal), "-o", str(page)).expect(0)
    assert stat.S_IMODE(page.stat().st_mode) == 0o644
    assert "19,963 of 20,000" in page.read_text("utf-8")


def test_a_report_inside_of_a_source_is_refused(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.fill(1)
    world.upload(*world.local).expect(0)
    inside = world.source / "report.html"
    run("report", "--journal", str(world.journal), "-o", str(inside)).expect(2, "--output: ", "inside the source")
    assert not inside.exists()
