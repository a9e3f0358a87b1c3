"""What ended a command, told in one line."""

from __future__ import annotations

import errno

import pytest

from bulkup.cli import error_report


@pytest.mark.parametrize(
    ("first", "told"),
    [
        (OSError(errno.EMFILE, "Too many open files"), "this process is out of file descriptors"),
        (KeyError("x"), "unexpected fault: RuntimeError: Cannot close a running event loop"),
    ],
)
def test_an_event_loop_that_could_not_begin(first: Exception, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It cannot be closed then either, and that is what it says. Whatever else stands behind it is a fault."""
    said: list[str] = []
    monkeypatch.setattr(error_report, "print_error_line", said.append)
    error = RuntimeError("Cannot close a running event loop")
    error.__context__ = RuntimeError("this event loop is already running")
    error.__context__.__context__ = first
    assert error_report.report_failure(error) == 7
    assert said[0] == f"bulkup: {told}"
