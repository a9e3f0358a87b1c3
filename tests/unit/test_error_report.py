"""An error that ends a command is reported in one line."""

from __future__ import annotations

import errno

import pytest

from bulkup.cli.error_report import is_out_of_memory, report_failure


@pytest.mark.parametrize(
    ("first", "message"),
    [
        (OSError(errno.EMFILE, "Too many open files"), "this process is out of file descriptors"),
        (KeyError("x"), "unexpected error: RuntimeError: Cannot close a running event loop"),
    ],
)
def test_an_event_loop_that_could_not_start(first: Exception, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Its own message is that it cannot be closed. The cause of that is reported instead, if it is an OS error."""
    error = RuntimeError("Cannot close a running event loop")
    error.__context__ = RuntimeError("this event loop is already running")
    error.__context__.__context__ = first
    assert report_failure(error) == 7
    assert capsys.readouterr().err.splitlines()[0] == f"bulkup: {message}"


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        ImportError("/lib/x.so: failed to map segment from shared object"),
        ImportError("libx.so.1: cannot allocate memory in static TLS block"),
    ],
)
def test_memory_that_is_needed_to_load_a_module_is_memory(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    assert is_out_of_memory(ExceptionGroup("", [error]))
    assert report_failure(error) == 7
    assert capsys.readouterr().err.splitlines()[0] == "bulkup: out of memory"


def test_a_module_that_is_missing_is_not_a_lack_of_memory() -> None:
    assert not is_out_of_memory(ImportError("No module named 'x'"))
