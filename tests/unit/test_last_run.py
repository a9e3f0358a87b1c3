"""How the last run of a journal ended, beside its failed files."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from bulkup.model.journal_rows import RunRow
from bulkup.model.run_record import RunRecord
from bulkup.reports.json_text import dumps
from bulkup.reports.last_run import last_run_lines, last_run_object
from bulkup.reports.next_commands import JournalOptions

JOURNAL = "/state/a b"
OPTIONS = JournalOptions("-p n", "-p n")
REFUSED = RunRecord("1", "n", "h", error="the credentials are refused:\x1b[1m 401", hint="check the credentials")


@pytest.mark.parametrize(
    ("ended", "said"),
    [
        ({}, "was cut off before its end"),
        ({"running": True}, None),
        ({"exit_code": 0, "ended_at": 2.0}, None),
        ({"exit_code": 1, "ended_at": 2.0}, None),
        ({"exit_code": 7, "ended_at": 2.0, "summary": {"files": {"remaining": 3}}}, "3 files remain. Its log has"),
        ({"exit_code": 3, "ended_at": 2.0, "summary": {"empty_sources": 1}}, "Is it mounted?"),
        ({"exit_code": 7, "ended_at": 2.0, "summary": {"files": {"remaining": "x"}}}, "error of this machine)."),
    ],
)
def test_a_run_without_failures_may_still_be_unfinished(ended: dict[str, Any], said: str | None) -> None:
    lines = list(last_run_lines(last_run(**ended), None, OPTIONS, JOURNAL, groups=False))
    found = last_run_object(last_run(**ended), None, OPTIONS, JOURNAL, groups=False)
    if said is None:
        assert (lines, found) == ([], None)
    else:
        assert said in lines[0]
        assert lines[-1] == "  next:  bulkup upload -p n"
        assert found is not None
        assert found["next"] == ["bulkup upload -p n"]


def test_an_error_that_ended_the_run_is_shown_with_its_hint_also_beside_failed_files() -> None:
    """Without them the user would have to search the log of the night."""
    ended = last_run(exit_code=4, ended_at=2.0)
    for groups in (False, True):
        assert list(last_run_lines(ended, REFUSED, JournalOptions(), JOURNAL, groups=groups)) == [
            "The last run a1b2 ended with 4 (the service refused, or cannot be used):",
            "  error: the credentials are refused:\\x1b[1m 401",
            "  hint:  check the credentials",
            "  next:  bulkup upload",
        ]


def test_programs_get_the_error_that_ended_the_run() -> None:
    ended = last_run(exit_code=4, ended_at=2.0, summary={"files": {"remaining": 3}})
    found = last_run_object(ended, REFUSED, OPTIONS, JOURNAL, groups=True)
    assert orjson.loads(dumps(found)) == {
        "event": "last_run",
        "run": "a1b2",
        "exit_code": 4,
        "cut_off": False,
        "error": REFUSED.error,
        "hint": REFUSED.hint,
        "remaining": 3,
        "empty_sources": 0,
        "next": ["bulkup upload -p n"],
    }


def test_a_run_that_was_cut_off_leads_to_the_disk_of_its_journal() -> None:
    """On a full disk the end of a run cannot be written either."""
    lines = list(last_run_lines(last_run(), None, OPTIONS, JOURNAL, groups=True))
    assert "disk was full" in lines[0]
    assert "`bulkup doctor --journal '/state/a b'`" in lines[1]
    found = last_run_object(last_run(), None, OPTIONS, JOURNAL, groups=True)
    assert found is not None
    assert (found["cut_off"], found["exit_code"], found["error"]) == (True, None, None)


def test_an_empty_source_is_counted() -> None:
    ended = last_run(exit_code=3, ended_at=2.0, summary={"empty_sources": 2})
    found = last_run_object(ended, None, OPTIONS, JOURNAL, groups=False)
    assert found is not None
    assert (found["empty_sources"], "--allow-empty" in found["hint"]) == (2, True)


@pytest.mark.parametrize(("options", "named"), [(OPTIONS, " -p n"), (JournalOptions(), "")])
def test_failures_before_a_complete_run_may_be_of_files_that_are_gone(options: JournalOptions, named: str) -> None:
    """A retry would not find them. The commands that leave them out are named instead."""
    first, hint, command = last_run_lines(last_run(exit_code=0, ended_at=2.0), None, options, JOURNAL, groups=True)
    assert "they may be gone from the disk" in first
    assert f"`bulkup runs{named} --prune` deletes their rows" in hint
    assert command == f"  next:  bulkup failures{named} --since last"


def test_a_journal_without_a_run_says_nothing() -> None:
    assert last_run_object(None, None, OPTIONS, JOURNAL, groups=False) is None
    assert list(last_run_lines(None, None, OPTIONS, JOURNAL, groups=False)) == []


def last_run(**ended: Any) -> RunRow:
    values: dict[str, Any] = {"ended_at": None, "exit_code": None, "summary": None} | ended
    return RunRow("a1b2", 1.0, provider="local", base_url="", sources=(b"/data",), **values)
