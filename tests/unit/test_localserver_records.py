"""Records and tokens of the embedded server: what a restart leaves of them, and what they cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from bulkup.localserver.record_log import RecordLog
from bulkup.localserver.signed_tokens import TokenSigner

NOW = 1_700_000_000.0


@dataclass(frozen=True, slots=True)
class Note:
    text: str
    size: int = 0


@pytest.fixture
def path(tmp_path: Any) -> Any:
    return str(tmp_path / "notes.jsonl")


def known(log: Any) -> Any:
    return [(record_id, record["text"]) for record_id, record in log.items()]


def test_the_last_word_on_a_record_outlives_the_log(path: Any) -> None:
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


def test_an_entry_that_was_cut_short_spoils_itself_alone(path: Any) -> None:
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


def test_only_the_newest_are_remembered_before_and_after_a_restart(path: Any) -> None:
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


def test_a_record_changed_after_its_log_became_the_old_one_is_known_as_it_is_now(path: Any) -> None:
    log = RecordLog(path, 3)
    for number in range(4):
        log.put(f"r{number}", Note("new"))
    log.put("r1", Note("done"))
    log.close()
    again = RecordLog(path, 3)
    assert again.get("r1") == {"text": "done", "size": 0}
    again.close()


def test_a_token_holds_until_it_ends_and_for_its_own_credential() -> None:
    signer = TokenSigner("secret", "iam")
    token = signer.issue("password", NOW + 60)
    assert signer.is_valid(token, "password", NOW + 59)
    assert not signer.is_valid(token, "password", NOW + 60)
    assert not signer.is_valid(token, "changed", NOW)
    assert TokenSigner("secret", "iam").is_valid(token, "password", NOW)
    assert not TokenSigner("secret", "oauth").is_valid(token, "password", NOW)
    assert not TokenSigner("other", "iam").is_valid(token, "password", NOW)


def test_tokens_differ_and_cannot_be_made_to_live_longer() -> None:
    signer = TokenSigner("secret", "iam")
    token = signer.issue("password", NOW)
    assert token != signer.issue("password", NOW)
    longer = f"{int(NOW) + 1000:x}" + token[token.index(".") :]
    assert not signer.is_valid(longer, "password", NOW)
    for wrong in ("", "x", "1.2.3", token + "A", token.upper(), "é" + token):
        assert not signer.is_valid(wrong, "password", 0.0)
