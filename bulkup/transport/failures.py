"""What goes wrong between a request and its answer, and what it means. The one place where that is decided.

A message is our own, never that of a library: those may hold a whole signed URL ("Can not write request body for ...").
Only what lies beneath, the system's or TLS's error, is chained.
"""

from __future__ import annotations

import enum
import errno
import ssl

from bulkup.helpers.descriptors import DESCRIPTORS_HINT, NO_DESCRIPTORS, OUT_OF_DESCRIPTORS
from bulkup.helpers.secrets import SecretUrl
from bulkup.model.problems import Problem, ProblemError, ProblemKind


class FailureKind(enum.Enum):
    """What went wrong; up to `NOT_CONNECTED` nothing of the request has gone out."""

    INVALID = enum.auto()  # there is no such request
    NOT_TRUSTED = enum.auto()
    NO_NAME = enum.auto()
    NO_PROXY = enum.auto()
    NOT_CONNECTED = enum.auto()
    SILENT = enum.auto()
    NOT_HTTP = enum.auto()
    BROKEN = enum.auto()


def exchange_problem(
    trouble: FailureKind, cause: BaseException | None, url: SecretUrl, idle_timeout: float
) -> ProblemError:
    """Return what trouble with `url` means, to be raised by the caller. `cause` is the system's or TLS's error."""
    raised = ProblemError(_problem(trouble, cause, str(url).split("?")[0], idle_timeout))
    raised.__cause__ = cause
    return raised


def _problem(trouble: FailureKind, cause: BaseException | None, where: str, idle_timeout: float) -> Problem:
    if isinstance(cause, OSError) and cause.errno in NO_DESCRIPTORS:
        return Problem(ProblemKind.MACHINE, f"this process is {OUT_OF_DESCRIPTORS}; {DESCRIPTORS_HINT}")
    reason = _reason(cause)
    match trouble:
        case FailureKind.INVALID:
            return Problem(ProblemKind.FAILED, f"{where} cannot be requested: its address or headers are not valid")
        case FailureKind.NOT_TRUSTED:
            return Problem(
                ProblemKind.UNUSABLE, f"the TLS certificate of {where} is not trusted ({reason}); is ca_file set?"
            )
        case FailureKind.NO_NAME:
            return Problem(ProblemKind.UNREACHABLE, f"the name of {where} cannot be found ({reason})")
        case FailureKind.NO_PROXY:
            return Problem(ProblemKind.UNREACHABLE, f"the proxy for {where} cannot be used ({reason})")
        case FailureKind.NOT_CONNECTED:
            return Problem(ProblemKind.UNREACHABLE, f"cannot connect to {where} ({reason})")
    # From here on the request may have been acted upon.
    text = {
        FailureKind.SILENT: f"{where} made no progress for {idle_timeout:g} s",
        FailureKind.NOT_HTTP: f"{where} does not answer in HTTP",
        FailureKind.BROKEN: f"the connection to {where} broke ({reason})",
    }
    return Problem(ProblemKind.TRANSIENT, text[trouble], maybe_created=True)


def _reason(cause: BaseException | None) -> str:
    if isinstance(cause, ssl.SSLCertVerificationError):
        return cause.verify_message
    if isinstance(cause, OSError):
        return reason_of(cause)
    return "closed by the other side"


def reason_of(error: OSError) -> str:
    """Return what the system says of an error, without its number."""
    return error.strerror or errno.errorcode.get(error.errno or 0, "no reason given")
