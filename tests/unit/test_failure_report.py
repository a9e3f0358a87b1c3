"""Files that were not uploaded: by reason, with the next command."""

from __future__ import annotations

import shlex
from typing import Any

import orjson
import pytest

from bulkup.model.journal_rows import FailureGroup
from bulkup.model.states import FileState
from bulkup.reports.failure_report import failure_lines, failure_object
from bulkup.reports.json_text import dumps
from bulkup.reports.next_commands import JournalOptions, next_commands


def group(**changes: Any) -> FailureGroup:
    values: dict[str, Any] = {
        "status": FileState.FAILED,
        "reason": "storage answered 403 AccessDenied",
        "files": 2,
        "size": 2048,
        "source": b"/data",
        "path": b"d/a\x1b.mp4",
        "example": "storage answered 403 AccessDenied: request 12345678",
    }
    return FailureGroup(**(values | changes))


def test_a_group_has_advice_an_example_and_commands() -> None:
    text = "\n".join(failure_lines([group()], JournalOptions("--profile nightly", "--profile nightly")))
    assert "2 files failed: storage answered 403 AccessDenied (2.0 KiB)" in text
    assert "may not write to the store" in text
    assert r"/data/d/a\x1b.mp4" in text
    assert "request 12345678" in text
    assert "bulkup failures --profile nightly --reason 'storage answered 403 AccessDenied'" in text
    assert "bulkup retry --profile nightly\n" in text


def test_the_command_of_a_group_is_one_for_the_shell() -> None:
    """Also with quotes in the reason."""
    (line,) = (
        one
        for one in failure_lines([group(reason='it\'s "x"; rm $HOME')], JournalOptions("-p x", "-p x"))
        if "--reason" in one
    )
    assert shlex.split(line.partition("files: ")[2]) == [
        "bulkup",
        "failures",
        "-p",
        "x",
        "--reason",
        'it\'s "x"; rm $HOME',
    ]


@pytest.mark.parametrize(
    ("status", "reason", "commands"),
    [
        (FileState.FAILED, "x", ["bulkup retry -p n"]),
        (FileState.CHANGED, "x", ["bulkup retry -p n"]),
        (FileState.UNREADABLE, "x", ["bulkup retry -p n"]),
        (FileState.REJECTED, "the service answered 422", ["bulkup retry -p n --retry-rejected"]),
        (
            FileState.REJECTED,
            "xvid does not accept the extension 'gif' (it accepts mp4)",
            ["bulkup upload -p n --unsupported skip", "bulkup retry -p n --retry-rejected"],
        ),
    ],
)
def test_the_next_command_depends_on_the_status(status: FileState, reason: str, commands: list[str]) -> None:
    assert next_commands(status, reason, "-p n") == commands


def test_the_object_of_a_group() -> None:
    found = orjson.loads(dumps(failure_object(group(path=b"a\xff"), JournalOptions())))
    assert (found["event"], found["status"], found["files"], found["bytes"]) == ("failures", "failed", 2, 2048)
    assert found["next"] == ["bulkup retry"]
    assert found["example"]["path_b64"]
