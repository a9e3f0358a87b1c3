"""Ctrl-Z during a live view, and the question whether the terminal is this process's. The real keys: tests/e2e."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from bulkup.cli.suspension import Foreground, suspension


@pytest.fixture(autouse=True)
def _usual_handler() -> Iterator[None]:
    before = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGTSTP, before)


def test_the_handler_is_there_only_inside() -> None:
    with suspension(lambda: None):
        assert callable(signal.getsignal(signal.SIGTSTP))
    assert signal.getsignal(signal.SIGTSTP) is signal.SIG_DFL


def test_an_ignored_signal_stays_ignored() -> None:
    signal.signal(signal.SIGTSTP, signal.SIG_IGN)
    with suspension(lambda: None):
        assert signal.getsignal(signal.SIGTSTP) is signal.SIG_IGN
    assert signal.getsignal(signal.SIGTSTP) is signal.SIG_IGN


def test_without_a_terminal_of_the_session_there_are_no_jobs() -> None:
    with open(os.devnull, "rb") as file:
        assert Foreground(file.fileno())()


@pytest.mark.parametrize(
    ("leads", "ahead", "ours"),
    [
        (True, [True, False, True], [True, False, True]),  # Ctrl-Z and bg, then fg
        (True, [False, True], [False, True]),  # begun with &
        (False, [False, False], [True, True]),  # begun by a program such as timeout in a script
        (False, [True, False], [True, False]),
    ],
)
def test_the_terminal_belongs_to_the_job_in_the_foreground(
    leads: bool, ahead: list[bool], ours: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    group = os.getpid() if leads else os.getpid() + 1
    monkeypatch.setattr(os, "getpgrp", lambda: group)
    seen = iter(ahead)
    monkeypatch.setattr(os, "tcgetpgrp", lambda _: group if next(seen) else group + 7)
    foreground = Foreground(2)
    assert [foreground() for _ in ahead] == ours
