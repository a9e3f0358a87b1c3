"""The kinds of failure between a request and its answer, and the problem that each one becomes.

Both senders use it, so a failure means the same whichever sends. A message never holds a library's text, which may hold
a whole signed URL ("Can not write request body for ..."). Only the underlying error of the system or of TLS is chained.
"""

from __future__ import annotations

import enum
import errno
import ssl

from bulkup.helpers.descriptors import DESCRIPTORS_HINT, NO_DESCRIPTORS, OUT_OF_DESCRIPTORS
from bulkup.helpers.secrets import SecretUrl
from bulkup.helpers.short_text import shortened
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.transport.tls_failures import (
    client_certificate_missing,
    explain,
    is_passing,
    readable,
    wants_client_certificate,
)

HEADER_LIMIT = 64 * 1024  # bytes of one header of an answer
HEADERS_LIMIT = 128  # of an answer, in aiohttp
_URL_LIMIT = 200  # characters of a URL in a message; a redirect's may have 60,000


class FailureKind(enum.Enum):
    """The kind of a failure. For the kinds up to `CONNECT_FAILED`, no byte of the request was sent."""

    INVALID_REQUEST = enum.auto()
    TLS_FAILED = enum.auto()  # the handshake
    NAME_NOT_FOUND = enum.auto()
    PROXY_FAILED = enum.auto()
    PROXY_AUTHENTICATION = enum.auto()  # the proxy answered 407
    CONNECT_FAILED = enum.auto()
    NO_PROGRESS = enum.auto()
    EXPECTS_TLS = enum.auto()  # the server says so in its answer to plain HTTP
    WANTS_CERTIFICATE = enum.auto()  # the server says so in its answer over TLS
    NOT_HTTP = enum.auto()
    HEADERS_TOO_LARGE = enum.auto()
    CONNECTION_LOST = enum.auto()


def exchange_problem(
    kind: FailureKind, cause: BaseException | None, url: SecretUrl, idle_timeout: float
) -> ProblemError:
    """Return the error for a failed exchange with `url`; the caller raises it. `cause` is the system's or TLS's."""
    raised = ProblemError(_problem(kind, cause, _shown(url), idle_timeout))
    raised.__cause__ = cause
    return raised


def _shown(url: SecretUrl) -> str:
    return shortened(str(url).split("?")[0], _URL_LIMIT)


def _problem(kind: FailureKind, cause: BaseException | None, where: str, idle_timeout: float) -> Problem:
    if isinstance(cause, OSError) and cause.errno in NO_DESCRIPTORS:
        return Problem(ProblemKind.MACHINE, f"this process is {OUT_OF_DESCRIPTORS}; {DESCRIPTORS_HINT}")
    if isinstance(cause, ssl.SSLError) and _ends_run(kind, cause):
        return Problem(ProblemKind.UNUSABLE, explain(cause, where))
    reason = _reason(cause)
    match kind:
        case FailureKind.INVALID_REQUEST:
            return Problem(ProblemKind.FAILED, f"{where} cannot be requested: its address or headers are not valid")
        case FailureKind.EXPECTS_TLS:
            return Problem(ProblemKind.UNUSABLE, f"{where} expects https:// instead of http://, by its answer")
        case FailureKind.WANTS_CERTIFICATE:
            return Problem(ProblemKind.UNUSABLE, client_certificate_missing(where))
        case FailureKind.NAME_NOT_FOUND:
            return Problem(ProblemKind.UNREACHABLE, f"the host name of {where} cannot be found ({reason})")
        case FailureKind.PROXY_FAILED:
            return Problem(ProblemKind.UNREACHABLE, f"the proxy for {where} cannot be used ({reason})")
        case FailureKind.PROXY_AUTHENTICATION:
            return Problem(
                ProblemKind.UNUSABLE,
                f"the proxy for {where} asks for a user and password (407); they belong into the variable that names "
                f"the proxy, as http://USER:PASSWORD@HOST:PORT, and only the scheme Basic is supported",
            )
        case FailureKind.CONNECT_FAILED | FailureKind.TLS_FAILED:
            return Problem(ProblemKind.UNREACHABLE, f"cannot connect to {where} ({reason})")
    # From here on the server may have acted on the request.
    plain = where.startswith("http:")
    text = {
        FailureKind.NO_PROGRESS: f"{where} made no progress for {idle_timeout:g} s",
        FailureKind.NOT_HTTP: f"{where} does not answer in HTTP" + ("; does it expect https://?" if plain else ""),
        FailureKind.HEADERS_TOO_LARGE: f"{where} answered with more than {HEADERS_LIMIT} headers, or with one of more "
        f"than {HEADER_LIMIT // 1024} KiB",
        FailureKind.CONNECTION_LOST: f"the connection to {where} broke ({reason})",
    }
    return Problem(ProblemKind.TRANSIENT, text[kind], maybe_created=True, unanswered=True)


def unreadable_body(url: SecretUrl, what: str) -> ProblemError:
    """Return the error for an answer whose body cannot be used; the caller raises it. `what` describes the body."""
    return ProblemError(Problem(ProblemKind.TRANSIENT, f"{_shown(url)} sent {what}", maybe_created=True))


def _ends_run(kind: FailureKind, error: ssl.SSLError) -> bool:
    """Return whether an error of TLS is one that every request meets."""
    return (kind is FailureKind.TLS_FAILED and not is_passing(error)) or (
        kind is FailureKind.CONNECTION_LOST and wants_client_certificate(error)
    )


def _reason(cause: BaseException | None) -> str:
    if isinstance(cause, ssl.SSLCertVerificationError):
        return cause.verify_message
    if isinstance(cause, ssl.SSLError):
        return readable(cause)
    if isinstance(cause, OSError):
        return reason_of(cause)
    return "closed by the other side"


def reason_of(error: OSError) -> str:
    """Return the system's text for an error, without its number."""
    return error.strerror or errno.errorcode.get(error.errno or 0, "no reason given")
