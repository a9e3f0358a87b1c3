"""The results of a verification, for people and programs."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from bulkup.model.disk_states import DiskState
from bulkup.model.verify_results import ContentState, StoreState, VerifiedFile, VerifyCounts
from bulkup.reports.json_text import dumps
from bulkup.reports.next_commands import JournalOptions
from bulkup.reports.verify_report import verified_line, verified_object, verify_exit_code, verify_object, verify_text


def result(**changes: Any) -> VerifiedFile:
    return VerifiedFile(b"/data", b"a\x1b.mp4", "s3", **changes)


def counts(*files: VerifiedFile) -> VerifyCounts:
    found = VerifyCounts()
    for file in files:
        found.add(file)
    return found


@pytest.mark.parametrize(
    ("file", "code"),
    [
        (result(), 0),
        (result(disk=DiskState.METADATA, store=StoreState.EXPIRED, content=ContentState.UNKNOWN), 0),
        (result(store=StoreState.UNKNOWN), 0),
        (result(disk=DiskState.CHANGED), 3),
        (result(disk=DiskState.DELETED), 3),
        (result(disk=DiskState.UNREADABLE), 3),
        (result(content=ContentState.UNREADABLE), 3),
        (result(content=ContentState.DIFFERENT), 1),
        (result(store=StoreState.MISSING), 1),
        (result(disk=DiskState.DELETED, store=StoreState.DIFFERENT), 1),
    ],
)
def test_a_loss_is_1_and_another_difference_3(file: VerifiedFile, code: int) -> None:
    """A deleted file that the service still has is no loss."""
    assert verify_exit_code(counts(result(), file)) == code


def test_the_line_of_a_file() -> None:
    file = result(disk=DiskState.DELETED, store=StoreState.MISSING, reason="it is not on disk any more")
    assert verified_line(file) == r"deleted, missing at the service: /data/a\x1b.mp4 (it is not on disk any more)"
    assert verified_line(result(content=ContentState.DIFFERENT)) == r"damaged on disk: /data/a\x1b.mp4"


def test_a_file_that_a_run_has_removed_is_no_difference() -> None:
    found = counts(result(disk=DiskState.REMOVED))
    assert (found.differing, verify_exit_code(found)) == (0, 0)
    assert "disk:    1 removed" in "\n".join(verify_text(found, [], JournalOptions()))


def test_the_object_of_a_file() -> None:
    found = orjson.loads(dumps(verified_object(result(disk=DiskState.CHANGED, remote_id="id", reason="x"))))
    assert found["event"] == "difference"
    assert (found["disk"], found["content"], found["store"], found["reason"]) == ("changed", None, None, "x")


def test_the_last_lines() -> None:
    found = counts(result(disk=DiskState.CHANGED, store=StoreState.SAME), result(store=StoreState.MISSING))
    found.add_same(998)
    found.not_uploaded = 7
    text = "\n".join(verify_text(found, ["something was left out"], JournalOptions("--profile p", "--profile p")))
    assert "1,000 uploaded files compared: 2 files differ." in text
    assert "disk:    1 changed, 999 same" in text
    assert "service: 1 same, 1 missing" in text
    assert "Note: something was left out." in text
    assert "bulkup failures --profile p" in text
    assert "bulkup upload --profile p" in text
    told = orjson.loads(dumps(verify_object(found, ["n"])))
    assert (told["exit_code"], told["files"], told["differing"], told["lost"]) == (1, 1000, 2, 1)
    assert told["disk"] == {"same": 999, "metadata": 0, "changed": 1, "deleted": 0, "removed": 0, "unreadable": 0}
    assert told["content"] is None


def test_nothing_differs() -> None:
    assert next(verify_text(counts(result()), [], JournalOptions())) == "1 uploaded file compared: nothing differs."
