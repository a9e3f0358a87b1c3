"""The log of records: its contents after a restart, and its size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from bulkup.localserver.record_log import RecordLog


@dataclass(frozen=True, slots=True)
class Note:
    text: str
    size: int = 0


@pytest.fixture
def path(tmp_path: Any) -> Any:
    return str(tmp_path / "notes.jsonl")


def known(log: Any) -> Any:
    return [(record_id, record["text"]) for record_id, record in log.items()]


def test_the_last_version_of_a_record_survives_a_restart(path: Any) -> None:
    log = RecordLog(path, 100)
    log.put("a", Note("first", 1))
    log.put("b", Note("only"))
    log.put("a", Note("second", 2))
    log.close()
    again = RecordLog(path, 100)
    assert again.get("a") == {"text": "second", "size": 2}
    assert known(again) == [("a", "second"), ("b", "only")]
    assert again.get("c") is None
    again.close()


def test_an_incomplete_entry_damages_no_other(path: Any) -> None:
    log = RecordLog(path, 100)
    log.put("a", Note("whole"))
    log.close()
    with open(path, "ab") as file:
        file.write(b'\n{"id":"b","rec')
    log = RecordLog(path, 100)
    log.put("c", Note("after"))
    log.close()
    again = RecordLog(path, 100)
    assert known(again) == [("a", "whole"), ("c", "after")]
    again.close()


def test_only_the_newest_records_are_kept(path: Any) -> None:
    log = RecordLog(path, 3)
    for number in range(10):
        log.put(f"r{number}", Note(f"new {number}"))
        log.put(f"r{number}", Note(f"done {number}"))
    expected = [(f"r{number}", f"done {number}") for number in (7, 8, 9)]
    assert known(log) == expected
    log.close()
    again = RecordLog(path, 3)
    assert known(again) == expected
    again.close()


def test_the_log_does_not_grow_with_the_number_of_records(path: Any, tmp_path: Any) -> None:
    log = RecordLog(path, 10)
    for number in range(1000):
        log.put(f"{number}", Note("x"))
    log.close()
    lines = sum(file.read_bytes().count(b"\n") for file in tmp_path.iterdir())
    assert lines <= 20


def test_a_record_changed_after_a_rotation_has_its_last_version(path: Any) -> None:
    log = RecordLog(path, 3)
    for number in range(4):
        log.put(f"r{number}", Note("new"))
    log.put("r1", Note("done"))
    log.close()
    again = RecordLog(path, 3)
    assert again.get("r1") == {"text": "done", "size": 0}
    again.close()
