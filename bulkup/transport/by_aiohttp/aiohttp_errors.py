"""What an error of the aiohttp client means. The one place where its exceptions are read."""

from __future__ import annotations

import errno
import os

import aiohttp

from bulkup.helpers.secrets import SecretUrl
from bulkup.model.problems import ProblemError
from bulkup.transport.failures import FailureKind, exchange_problem, reason_of


def http_problem(error: BaseException, url: SecretUrl, idle_timeout: float) -> ProblemError:
    """Return what `error`, met while talking to `url`, means; to be raised by the caller."""
    return exchange_problem(_trouble(error), _beneath(error), url, idle_timeout)


def _trouble(error: BaseException) -> FailureKind:
    kinds: list[tuple[type[BaseException] | tuple[type[BaseException], ...], FailureKind]] = [
        ((aiohttp.ClientConnectorCertificateError, aiohttp.ClientSSLError), FailureKind.NOT_TRUSTED),
        (aiohttp.ClientConnectorDNSError, FailureKind.NO_NAME),
        ((aiohttp.ClientProxyConnectionError, aiohttp.ClientHttpProxyError), FailureKind.NO_PROXY),
        ((aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError), FailureKind.NOT_CONNECTED),
        (TimeoutError, FailureKind.SILENT),
        (aiohttp.ClientResponseError, FailureKind.NOT_HTTP),
        ((aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError, ValueError), FailureKind.INVALID),
    ]
    return next((trouble for kind, trouble in kinds if isinstance(error, kind)), FailureKind.BROKEN)


def _beneath(error: BaseException) -> BaseException | None:
    """Return the system's or TLS error beneath the client's, whose own text may hold a URL."""
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
    inner = getattr(error, "os_error", None) or getattr(error, "certificate_error", None) or error.__cause__
    for candidate in (inner, error):
        if isinstance(candidate, OSError) and not isinstance(candidate, aiohttp.ClientError):
            return candidate
    if isinstance(error, aiohttp.ClientOSError) and error.errno is not None:
        return OSError(error.errno, reason_of(error))
    return None
