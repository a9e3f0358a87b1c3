"""What can go wrong, as the user meets it.

Every class here ends a command with a message of its own and an exit code (docs/design.md section 7). Trouble with one
file or one request is a `Problem` (`bulkup.model.problems`) instead, because it is data that
the pipeline decides on. A foreign exception is always chained as the cause, with one exception to that rule: the HTTP
client's own errors may carry a signed URL in their text, so `bulkup.transport` chains what lies beneath them.
"""

from __future__ import annotations

import enum


class ExitCode(enum.IntEnum):
    """The status the process exits with; the table of docs/design.md section 7."""

    OK = 0
    FILES_FAILED = 1
    USAGE = 2
    INCOMPLETE = 3
    SERVICE = 4
    LOCKED = 5
    TIME_UP = 6
    MACHINE = 7
    SIGHUP = 129
    SIGINT = 130
    SIGTERM = 143


class BulkupError(Exception):
    """Base of all errors that reach a user.

    `message` says what happened and to what, `hint` what to do next. Both are free of secrets.
    """

    exit_code = ExitCode.MACHINE

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(BulkupError):
    """A wrong option, setting or source: nothing was started."""

    exit_code = ExitCode.USAGE


class ServiceError(BulkupError):
    """The service refused the credentials, cannot be reached, or answers in a way that makes going on pointless."""

    exit_code = ExitCode.SERVICE


class TooManyFailuresError(BulkupError):
    """As many files failed for good as `max_failures` bears: the run was stopped, and did not begin further ones."""

    exit_code = ExitCode.FILES_FAILED


class JournalLockedError(BulkupError):
    """Another run holds the journal."""

    exit_code = ExitCode.LOCKED


class JournalError(BulkupError):
    """The journal cannot be read or written: disk full, damaged, or from a newer version."""

    exit_code = ExitCode.MACHINE


class MachineError(BulkupError):
    """This machine's own fault: out of descriptors, out of memory, a local helper process that does not start."""

    exit_code = ExitCode.MACHINE
