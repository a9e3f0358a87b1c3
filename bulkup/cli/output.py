"""Standard output: a reader that has closed it is no error, a full disk is reported."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

from bulkup.errors import ExitCode
from bulkup.helpers.systemd_stream import goes_to_systemd, with_priority


@contextlib.contextmanager
def closed_output_is_success() -> Iterator[None]:
    """End a command with success if the reader closes its output, as `| head` does."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError as error:
        _discard_output(error)


def print_line(text: str) -> int:
    """Write a line and return 0, or report the error and return its exit code."""
    try:
        sys.stdout.write(text + "\n")
    except OSError as error:
        return _discard_output(error)
    return flush_output()


def flush_output() -> int:
    """Write the buffer, with the result of `print_line`. At Python's exit, a failure would print a traceback."""
    try:
        sys.stdout.flush()
    except OSError as error:
        return _discard_output(error)
    return int(ExitCode.OK)


def report_output_error(error: OSError) -> int:
    """Report why standard output cannot be written, and return the exit code."""
    if isinstance(error, BrokenPipeError):
        return int(ExitCode.OK)
    print_error_line(f"bulkup: cannot write standard output: {error.strerror or error}")
    return int(ExitCode.MACHINE)


def print_error_line(line: str) -> None:
    """Write a line, or several, to standard error if it is still open."""
    if goes_to_systemd(sys.stderr):
        line = with_priority("error", line)
    with contextlib.suppress(OSError):
        sys.stderr.write(line + "\n")


def _discard_output(error: OSError) -> int:
    # The rest of the buffer would fail again at exit, so standard output becomes the null device.
    with contextlib.suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
    return report_output_error(error)
