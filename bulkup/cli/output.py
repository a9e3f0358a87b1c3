"""Standard output: a reader that has gone away is no fault of ours, a full disk is one to be told."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

from bulkup.errors import ExitCode


@contextlib.contextmanager
def closed_output_is_success() -> Iterator[None]:
    """End a command whose reader went away (`| head`) as if all had been read: it has what it wanted."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError as error:
        _lost(error)


def print_line(text: str) -> int:
    """Write a line and return 0, or the exit status that stands for what went wrong, which has been told then."""
    try:
        sys.stdout.write(text + "\n")
    except OSError as error:
        return _lost(error)
    return flush_output()


def flush_output() -> int:
    """Write what is buffered, as `print_line` does. Left to Python's own exit it would fail with a traceback."""
    try:
        sys.stdout.flush()
    except OSError as error:
        return _lost(error)
    return int(ExitCode.OK)


def report_output_error(error: OSError) -> int:
    """Tell why standard output cannot be written, and return the exit status for it."""
    if isinstance(error, BrokenPipeError):
        return int(ExitCode.OK)
    print_error_line(f"bulkup: cannot write standard output: {error.strerror or error}")
    return int(ExitCode.MACHINE)


def print_error_line(line: str) -> None:
    """Write a line to standard error; where nobody reads that any more, there is nobody to tell."""
    with contextlib.suppress(OSError):
        sys.stderr.write(line + "\n")


def _lost(error: OSError) -> int:
    # What is left in the buffer would fail once more at exit, so from now on it leads nowhere.
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
    return report_output_error(error)
