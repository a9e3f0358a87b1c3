"""What ended a command, told in one line."""

from __future__ import annotations

import errno

import pytest

from bulkup.cli import failures


def test_an_event_loop_that_gets_no_descriptor_is_no_fault_of_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """It cannot be closed then either, and that is what it says."""
    said: list[str] = []
    monkeypatch.setattr(failures, "complain", said.append)
    try:
        try:
            try:
                raise OSError(errno.EMFILE, "Too many open files")
            finally:
                raise RuntimeError("this event loop is already running")
        finally:
            raise RuntimeError("Cannot close a running event loop")
    except RuntimeError as error:
        assert failures.failure_code(error) == 7
    assert said[0] == "bulkup: this process is out of file descriptors"
    try:
        raise RuntimeError("a fault")
    except RuntimeError as error:
        assert failures.failure_code(error) == 7
    assert "unexpected fault" in said[2]
