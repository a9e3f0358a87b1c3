"""What an error of the HTTP client means. The one place where its exceptions are read.

Their text may hold a whole signed URL ("Can not write request body for ..."), so it is never taken
over: messages are our own, and only what lies beneath (the system's error) is chained.
"""

from __future__ import annotations

import errno
import ssl

import aiohttp

from bulkup.messages import Kind, Problem, ProblemError
from bulkup.secrets import SecretUrl

_OUT_OF_DESCRIPTORS = frozenset({errno.EMFILE, errno.ENFILE})


def http_problem(error: BaseException, url: SecretUrl, idle_timeout: float) -> ProblemError:
    """Return what `error`, met while talking to `url`, means; to be raised by the caller."""
    raised = ProblemError(_problem(error, str(url).split("?")[0], idle_timeout))
    raised.__cause__ = _beneath(error)
    return raised


def _problem(error: BaseException, where: str, idle_timeout: float) -> Problem:
    cause = _beneath(error)
    if isinstance(cause, OSError) and cause.errno in _OUT_OF_DESCRIPTORS:
        return Problem(
            Kind.MACHINE, "this process is out of file descriptors; raise `ulimit -n` or lower --concurrency"
        )
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientSSLError):
        return Problem(
            Kind.UNUSABLE, f"the TLS certificate of {where} is not trusted ({_reason(cause)}); is ca_file set?"
        )
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return Problem(Kind.UNREACHABLE, f"the name of {where} cannot be found ({_reason(cause)})")
    if isinstance(error, aiohttp.ClientProxyConnectionError | aiohttp.ClientHttpProxyError):
        return Problem(Kind.UNREACHABLE, f"the proxy for {where} cannot be used ({_reason(cause)})")
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
        return Problem(Kind.UNREACHABLE, f"cannot connect to {where} ({_reason(cause)})")
    return _after_connecting(error, cause, where, idle_timeout)


def _after_connecting(error: BaseException, cause: BaseException | None, where: str, idle_timeout: float) -> Problem:
    # From here on the request may have been acted upon.
    if isinstance(error, TimeoutError):
        text = f"{where} made no progress for {idle_timeout:g} s"
    elif isinstance(error, aiohttp.ClientResponseError):
        text = f"{where} does not answer in HTTP"
    elif isinstance(error, aiohttp.InvalidURL | ValueError):
        return Problem(Kind.FAILED, f"{where} cannot be requested: its address or headers are not valid")
    else:
        text = f"the connection to {where} broke ({_reason(cause)})"
    return Problem(Kind.TRANSIENT, text, maybe_created=True)


def _beneath(error: BaseException) -> BaseException | None:
    """Return the system's or TLS error beneath the client's, whose own text may hold a URL."""
    inner = getattr(error, "os_error", None) or getattr(error, "certificate_error", None) or error.__cause__
    for candidate in (inner, error):
        if isinstance(candidate, OSError) and not isinstance(candidate, aiohttp.ClientError):
            return candidate
    if isinstance(error, aiohttp.ClientOSError) and error.errno is not None:
        return OSError(error.errno, _strerror(error))
    return None


def _reason(cause: BaseException | None) -> str:
    if isinstance(cause, ssl.SSLCertVerificationError):
        return cause.verify_message
    if isinstance(cause, OSError):
        return _strerror(cause)
    return "closed by the other side"


def _strerror(error: OSError) -> str:
    return error.strerror or errno.errorcode.get(error.errno or 0, "no reason given")
