"""Log events have constant names, which docs/output.md lists."""

from __future__ import annotations

import ast
import re
import string
from pathlib import Path

from made_progress import HALF
from tools.reference.log_calls import event_of, log_call, log_calls

from bulkup.model.log_events import LogEvent
from bulkup.reports.progress_log import progress_fields

ROOT = Path(__file__).parents[2]
ROW = re.compile(
    r"^\| `(?P<event>[a-z_.]+)` \| (?P<level>debug|info|warning|error) \| (?P<fields>[^|]*) \| (?P<sentence>[^|]*) \|$",
    re.MULTILINE,
)


def documented() -> dict[str, tuple[str, set[str], str]]:
    """Return level, fields and sentence of each event on the page."""
    page = (ROOT / "docs" / "output.md").read_text("utf-8")
    section = page[page.index("## The log") : page.index("## Progress")]
    return {
        row["event"]: (row["level"], set(re.findall("`([a-z_]+)`", row["fields"])), row["sentence"].strip())
        for row in ROW.finditer(section)
    }


def test_every_log_call_names_an_event() -> None:
    """The first argument is a constant, never a sentence."""
    calls = list(log_calls())
    assert len(calls) > 20
    assert [call.where for call in calls if not call.event.startswith("LogEvent.")] == []


def test_every_event_is_logged() -> None:
    """A constant that no call uses is dead."""
    assert {event_of(call) for call in log_calls()} == set(LogEvent)


def test_warnings_about_single_files_are_limited() -> None:
    """A tree may have millions of files with the same problem (`RepeatedWarnings`)."""
    limited, unlimited = set[LogEvent](), set[LogEvent]()
    for path in sorted((ROOT / "bulkup").rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        guarded = {
            id(node)
            for condition in ast.walk(tree)
            if isinstance(condition, ast.If) and ".admits(" in ast.unparse(condition.test)
            for node in ast.walk(condition)
        }
        for node in ast.walk(tree):
            call = log_call(node, path.name) if isinstance(node, ast.Call) else None
            if call is not None and call.level == "warning" and "path" in call.fields:
                (limited if id(node) in guarded else unlimited).add(event_of(call))
    assert limited >= {LogEvent.FILE_NOT_UPLOADED, LogEvent.CONFIRM_UNFINISHED, LogEvent.ABANDON_FAILED}
    # The paths of the log and of the report, once.
    assert unlimited == {LogEvent.LOG_FILE_FAILED, LogEvent.REPORT_FAILED}


def test_the_page_lists_every_event() -> None:
    """With its sentence, and in the order of the constants."""
    listed = [(event, sentence) for event, (_, _, sentence) in documented().items()]
    assert listed == [(str(event), event.sentence) for event in LogEvent]


def test_the_page_lists_level_and_fields_of_every_call() -> None:
    """The fields of `progress` are computed, and stand in the section on progress."""
    rows = documented()
    for call in log_calls():
        level, fields, _ = rows[event_of(call)]
        assert (call.level, set(call.fields) - {"**"}) == (level, fields), call.where


def test_the_page_lists_the_fields_of_progress() -> None:
    page = (ROOT / "docs" / "output.md").read_text("utf-8")
    section = page[page.index("## Progress") : page.index("## `bulkup upload --dry-run --json`")]
    for name in progress_fields(HALF):
        assert f"`{name}`" in section


def test_a_sentence_shows_only_fields_of_its_event() -> None:
    """Else the console log could not fill them in."""
    rows = documented()
    for event in LogEvent:
        shown = {name for _, name, _, _ in string.Formatter().parse(event.sentence) if name}
        assert shown <= rows[event][1], event
