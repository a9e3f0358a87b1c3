"""The encoding of file names: always UTF-8, for the command by a restart, for the library by its own decoding."""

from __future__ import annotations

import os
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.helpers.utf8_mode import path_bytes, path_text, restart_in_utf8_mode


@pytest.fixture
def restarts(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Return the list that the arguments of every restart are added to."""
    found: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda _, arguments: found.append(arguments))
    return found


def test_a_program_in_utf8_is_not_restarted(restarts: list[list[str]]) -> None:
    restart_in_utf8_mode()
    assert restarts == []


@pytest.mark.parametrize("chosen", [False, True])
def test_another_encoding_is_left_once(
    restarts: list[list[str]], monkeypatch: pytest.MonkeyPatch, chosen: bool
) -> None:
    """The arguments stay, those of the interpreter included. A mode that the user chose is kept."""
    monkeypatch.setattr(sys, "getfilesystemencoding", lambda: "iso8859-1")
    monkeypatch.setattr(sys, "orig_argv", ["python", "-P", "-m", "bulkup", "upload", "\udce9"])
    monkeypatch.setattr(sys, "_xoptions", {"utf8": "0"} if chosen else {})
    restart_in_utf8_mode()
    again = [sys.executable, "-X", "utf8", "-P", "-m", "bulkup", "upload", "\udce9"]
    assert restarts == ([] if chosen else [again])


def test_a_program_that_cannot_be_restarted_continues(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(sys, "getfilesystemencoding", lambda: "iso8859-1")
    monkeypatch.setattr(os, "execv", refused)
    restart_in_utf8_mode()


@given(st.binary())
def test_every_path_has_a_text_of_its_own(path: bytes) -> None:
    assert path_bytes(path_text(path)) == path


def test_utf8_names_are_read_as_such() -> None:
    assert path_text("é.mp4".encode()) == "é.mp4"
    assert path_text(b"\xe9") == "\udce9"
