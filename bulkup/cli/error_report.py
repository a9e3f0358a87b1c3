"""Where an error becomes a message on standard error and an exit status."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Iterator
from typing import Any

from bulkup.cli.output import print_error_line
from bulkup.errors import BulkupError, ExitCode, MachineError
from bulkup.helpers.descriptors import DESCRIPTORS_HINT, NO_DESCRIPTORS, OUT_OF_DESCRIPTORS
from bulkup.reports.json_text import dumps
from bulkup.reports.safe_text import printable

_OF_THE_MACHINE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.ENOMEM, errno.EIO})


def report_failure(error: BaseException) -> int:
    """Tell the user what ended a command and return the exit status. Groups of errors count as what is in them."""
    causes = list(_leaves(error))
    for cause in causes:
        if isinstance(cause, SystemExit) and isinstance(cause.code, int):
            return cause.code
        if isinstance(cause, KeyboardInterrupt):
            return int(ExitCode.SIGINT)
    ours = next((cause for cause in map(_as_ours, causes) if cause is not None), None)
    if ours is not None and _only_ours(causes):
        report_error(ours, as_json=_wants_json())
        return int(ours.exit_code)
    return _fault(error, causes)


def report_error(error: BulkupError, *, as_json: bool) -> None:
    """Say what happened and what to do; with `as_json`, as an object on standard output too."""
    print_error_line(f"bulkup: {printable_lines(error.message)}")
    if error.hint:
        print_error_line(f"  {printable_lines(error.hint)}")
    if as_json:
        sys.stdout.write(dumps(error_object(error)).decode() + "\n")


def error_object(error: BulkupError) -> dict[str, Any]:
    """Return an error as `--json` prints it."""
    return {"event": "error", "exit_code": int(error.exit_code), "message": error.message, "hint": error.hint}


def printable_lines(text: str) -> str:
    """Return text with its line breaks, and every other control character made visible.

    Lines after the first are indented: a name with a line break in it must not look like a message of ours.
    """
    first, *more = (printable(line) for line in text.split("\n"))
    return "\n".join([first, *(line if line.startswith("  ") else f"  {line}" for line in more)])


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


def _as_ours(error: BaseException) -> BulkupError | None:
    if isinstance(error, BulkupError):
        return error
    if isinstance(error, RuntimeError) and isinstance(error.__context__, OSError | RuntimeError):
        return _as_ours(error.__context__)  # an event loop that could not begin for it, and so not be closed either
    if isinstance(error, MemoryError):
        return MachineError("out of memory")
    if isinstance(error, OSError) and error.errno in NO_DESCRIPTORS:
        hint = f"{DESCRIPTORS_HINT}, and run the same command again"
        return MachineError(f"this process is {OUT_OF_DESCRIPTORS}", hint=hint)
    if isinstance(error, OSError) and error.errno in _OF_THE_MACHINE:
        return MachineError(os.strerror(error.errno or 0), hint="the same command goes on where this one stopped")
    return None


def _only_ours(causes: list[BaseException]) -> bool:
    return all(_as_ours(cause) is not None for cause in causes)


def _fault(error: BaseException, causes: list[BaseException]) -> int:
    """Tell of a fault of the program, in one line: nobody but its authors gets anything from more."""
    first = causes[0]
    text = f"{type(first).__name__}: {first}" if str(first) else type(first).__name__
    wanted = _wants_traceback()
    if wanted:
        print_error_line("\n".join(map(printable, "".join(traceback.format_exception(error)).rstrip().split("\n"))))
    hint = "this is a fault of the program" if wanted else "for its traceback, set BULKUP_LOG_LEVEL=debug"
    report_error(MachineError(f"unexpected fault: {text}", hint=hint), as_json=_wants_json())
    return int(ExitCode.MACHINE)


def _wants_json() -> bool:
    """Whatever went wrong may have come before the settings were read, so this looks for itself."""
    return "--json" in sys.argv or os.environ.get("BULKUP_JSON", "").lower() in ("1", "true", "yes", "on")


def _wants_traceback() -> bool:
    level = os.environ.get("BULKUP_LOG_LEVEL", "")
    for option, value in zip(sys.argv, [*sys.argv[1:], ""], strict=True):
        if option == "--log-level":
            level = value
        elif option.startswith("--log-level="):
            level = option.partition("=")[2]
    return level.lower() == "debug"
