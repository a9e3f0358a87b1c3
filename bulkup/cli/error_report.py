"""Turn errors into a message on standard error and an exit code."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Iterator
from typing import Any, NamedTuple

from bulkup.cli.output import print_error_line
from bulkup.errors import BulkupError, ExitCode, MachineError
from bulkup.helpers.descriptors import DESCRIPTORS_HINT, NO_DESCRIPTORS, OUT_OF_DESCRIPTORS
from bulkup.helpers.thread_limit import NO_THREADS, THREADS_HINT, is_thread_limit
from bulkup.reports.exit_code import exit_code_text
from bulkup.reports.json_text import dumps
from bulkup.reports.safe_text import printable

_MACHINE_ERRNOS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.ENOMEM, errno.EIO})
# Errors of the surroundings, such as permissions. Others, such as EBADF, show a bug.
_SURROUNDINGS = frozenset(
    {
        *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP),
        *(errno.ENAMETOOLONG, errno.ENXIO, errno.ENODEV, errno.ESTALE, errno.EAGAIN, errno.EBUSY, errno.EFBIG),
        *(errno.EMLINK, errno.ETXTBSY, errno.ENOTSUP, errno.ENOSYS, errno.ENOLCK),
    }
)
# Of the system's loader, about a library that does not fit into memory.
_NO_MEMORY_TO_LOAD = ("failed to map segment", "cannot allocate memory", "cannot create shared object descriptor")


class Failure(NamedTuple):
    """How an error ends a command: with an exit code, a message and a hint."""

    exit_code: int
    message: str
    hint: str = ""


def failure_of(error: BaseException) -> Failure:
    """Return how an error ends a command, and print nothing. A bug is named by its kind: its text may be secret."""
    causes = list(_leaves(error))
    if (code := _requested_code(causes)) is not None:
        return Failure(code, exit_code_text(code))
    known = _known_error(causes)
    if known is not None:
        return Failure(int(known.exit_code), known.message, known.hint)
    return Failure(int(ExitCode.MACHINE), f"unexpected error: {type(causes[0]).__name__}", "this is a bug in bulkup")


def report_failure(error: BaseException) -> int:
    """Report the error that ended a command, and return the exit code. Exception groups are unpacked."""
    causes = list(_leaves(error))
    if (code := _requested_code(causes)) is not None:
        return code
    known = _known_error(causes)
    if known is not None:
        report_error(known, as_json=_wants_json())
        return int(known.exit_code)
    return _report_bug(error, causes)


def _requested_code(causes: list[BaseException]) -> int | None:
    """Return the exit code that one of the causes names, as after a signal."""
    for cause in causes:
        if isinstance(cause, SystemExit) and isinstance(cause.code, int):
            return cause.code
        if isinstance(cause, KeyboardInterrupt):
            return int(ExitCode.SIGINT)
    return None


def _known_error(causes: list[BaseException]) -> BulkupError | None:
    """Return the first of the causes as an error for users, None if one of them is a bug."""
    known = [_as_bulkup_error(cause) for cause in causes]
    return None if None in known else known[0]


def report_error(error: BulkupError, *, as_json: bool) -> None:
    """Print an error and its hint; with `as_json`, also as an object on standard output."""
    for line in error_lines(error):
        print_error_line(line)
    if as_json:
        sys.stdout.write(dumps(error_object(error)).decode() + "\n")


def error_lines(error: BulkupError) -> list[str]:
    """Return an error and its hint as people read them."""
    lines = [f"bulkup: {printable_lines(error.message)}"]
    return [*lines, f"  {printable_lines(error.hint)}"] if error.hint else lines


def error_object(error: BulkupError) -> dict[str, Any]:
    """Return an error as `--json` prints it."""
    return {"event": "error", "exit_code": int(error.exit_code), "message": error.message, "hint": error.hint}


def printable_lines(text: str) -> str:
    """Return text with its line breaks; every other control character is escaped.

    Lines after the first are indented, so that a name with a line break cannot look like another message.
    """
    first, *more = (printable(line) for line in text.split("\n"))
    return "\n".join([first, *(line if line.startswith("  ") else f"  {line}" for line in more)])


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


def _as_bulkup_error(error: BaseException) -> BulkupError | None:
    if isinstance(error, BulkupError):
        return error
    if is_thread_limit(error):
        return MachineError(NO_THREADS, hint=f"{THREADS_HINT}; then run the same command again")
    if isinstance(error, RuntimeError) and isinstance(error.__context__, OSError | RuntimeError):
        return _as_bulkup_error(error.__context__)  # the event loop could not start because of it
    if _is_out_of_memory(error):
        return MachineError("out of memory", hint="raise `ulimit -v` or the limit of the container")
    if isinstance(error, OSError) and error.errno in NO_DESCRIPTORS:
        hint = f"{DESCRIPTORS_HINT}, and run the same command again"
        return MachineError(f"this process is {OUT_OF_DESCRIPTORS}", hint=hint)
    if isinstance(error, OSError) and error.errno in _MACHINE_ERRNOS:
        return MachineError(os.strerror(error.errno or 0), hint="run the same command again to resume")
    if isinstance(error, OSError) and error.errno in _SURROUNDINGS:
        where = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
        return MachineError(f"{where}{error.strerror}", hint="check the path, its owner and its permissions")
    return None


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether memory was the cause of an error, or of one of a group."""
    return any(map(_is_out_of_memory, _leaves(error)))


def _is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error is about memory, which may have been needed to load a module."""
    if isinstance(error, ImportError):
        return any(text in str(error).lower() for text in _NO_MEMORY_TO_LOAD)
    return isinstance(error, MemoryError)


def _report_bug(error: BaseException, causes: list[BaseException]) -> int:
    """Report a bug in the program in one line, with the traceback only on request."""
    wanted = _wants_traceback()
    if wanted:
        print_error_line("\n".join(map(printable, "".join(traceback.format_exception(error)).rstrip().split("\n"))))
    hint = "this is a bug in bulkup" if wanted else "for its traceback, set BULKUP_LOG_LEVEL=debug"
    report_error(MachineError(_bug_text(causes[0]), hint=hint), as_json=_wants_json())
    return int(ExitCode.MACHINE)


def _bug_text(error: BaseException) -> str:
    name = type(error).__name__
    return f"unexpected error: {name}: {error}" if str(error) else f"unexpected error: {name}"


def _wants_json() -> bool:
    """Return whether `--json` is set. The settings may not have been read yet, so this checks the arguments."""
    return "--json" in sys.argv or os.environ.get("BULKUP_JSON", "").lower() in ("1", "true", "yes", "on")


def _wants_traceback() -> bool:
    level = os.environ.get("BULKUP_LOG_LEVEL", "")
    for option, value in zip(sys.argv, [*sys.argv[1:], ""], strict=True):
        if option == "--log-level":
            level = value
        elif option.startswith("--log-level="):
            level = option.partition("=")[2]
    return level.lower() == "debug"
