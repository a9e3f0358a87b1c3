"""Errors that end a command, each with a message and an exit code (docs/design.md section 7).

An error of one file or one request is a `Problem` (`bulkup.model.problems`) instead: a value that the pipeline decides
on. Exceptions of other libraries are always chained as the cause, except those of the HTTP client. Their texts may
contain a signed URL, so `bulkup.transport` chains the cause of such an exception. `bulkup.journal` replaces the text of
SQLite's errors by their names.
"""

from __future__ import annotations

import enum


class ExitCode(enum.IntEnum):
    """The exit code of the process (docs/design.md section 7)."""

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

    `message` describes the error, `hint` the next step. Neither contains secrets.
    """

    exit_code = ExitCode.MACHINE

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(BulkupError):
    """An option, setting or source is wrong. Nothing was started."""

    exit_code = ExitCode.USAGE


class ServiceError(BulkupError):
    """The service refused the credentials, cannot be reached, or its answers cannot be used."""

    exit_code = ExitCode.SERVICE


class ListError(BulkupError):
    """The rest of a list of files cannot be used. The files named before are not affected."""

    exit_code = ExitCode.INCOMPLETE


class TooManyFailuresError(BulkupError):
    """`max_failures` files failed, so the run was stopped."""

    exit_code = ExitCode.FILES_FAILED


class JournalLockedError(BulkupError):
    """Another run holds the journal."""

    exit_code = ExitCode.LOCKED


class JournalError(BulkupError):
    """The journal cannot be read or written: disk full, damaged, or from a newer version."""

    exit_code = ExitCode.MACHINE


class MachineError(BulkupError):
    """This machine failed: no descriptors, no memory, or a helper process that does not start."""

    exit_code = ExitCode.MACHINE
