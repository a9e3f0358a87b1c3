"""Translates the exceptions of the aiohttp client. No other module handles them."""

from __future__ import annotations

import errno
import os

import aiohttp
from aiohttp.http_exceptions import BadHttpMessage, LineTooLong
from yarl import URL

from bulkup.helpers.secrets import SecretUrl
from bulkup.model.problems import ProblemError
from bulkup.transport.failures import FailureKind, exchange_problem, reason_of
from bulkup.transport.proxies import PROXY_AUTHENTICATION_REQUIRED

_TOO_MANY = "Too many headers"  # aiohttp has no class for it


def http_problem(
    error: BaseException, url: SecretUrl, idle_timeout: float, *, proxy: str | None = None
) -> ProblemError:
    """Return the problem for an error of an exchange with `url`, maybe through a proxy; the caller raises it."""
    kind = FailureKind.PROXY_FAILED if _is_of_proxy(error, proxy) else _failure_kind(error)
    return exchange_problem(kind, _system_error(error), url, idle_timeout)


def _is_of_proxy(error: BaseException, proxy: str | None) -> bool:
    """Return whether the connection that failed is the one to the proxy itself: its name, or its TLS."""
    if proxy is None or not isinstance(error, aiohttp.ClientConnectorError):
        return False
    to = URL(proxy)
    return (error.host, error.port) == (to.raw_host, to.port)


def _failure_kind(error: BaseException) -> FailureKind:
    if isinstance(error, aiohttp.ClientHttpProxyError) and error.status == PROXY_AUTHENTICATION_REQUIRED:
        return FailureKind.PROXY_AUTHENTICATION
    if _too_much_header(error):
        return FailureKind.HEADERS_TOO_LARGE
    kinds: list[tuple[type[BaseException] | tuple[type[BaseException], ...], FailureKind]] = [
        ((aiohttp.ClientConnectorCertificateError, aiohttp.ClientSSLError), FailureKind.TLS_FAILED),
        (aiohttp.ClientConnectorDNSError, FailureKind.NAME_NOT_FOUND),
        ((aiohttp.ClientProxyConnectionError, aiohttp.ClientHttpProxyError), FailureKind.PROXY_FAILED),
        ((aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError), FailureKind.CONNECT_FAILED),
        (TimeoutError, FailureKind.NO_PROGRESS),
        (aiohttp.ClientResponseError, FailureKind.NOT_HTTP),
        ((aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError, ValueError), FailureKind.INVALID_REQUEST),
    ]
    return next((kind for classes, kind in kinds if isinstance(error, classes)), FailureKind.CONNECTION_LOST)


def _too_much_header(error: BaseException | None) -> bool:
    """Return whether the parser refused the headers for their size; aiohttp hides that in errors of its own."""
    while error is not None:
        if isinstance(error, LineTooLong) or (isinstance(error, BadHttpMessage) and _TOO_MANY in error.message):
            return True
        error = error.__cause__ or error.__context__
    return False


def _system_error(error: BaseException) -> BaseException | None:
    """Return the error of the system or of TLS inside an aiohttp error, whose own text may hold a URL."""
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return OSError(0, f"it answered {error.status}")
    inner = getattr(error, "os_error", None) or getattr(error, "certificate_error", None) or error.__cause__
    for candidate in (inner, error):
        if isinstance(candidate, OSError) and not isinstance(candidate, aiohttp.ClientError):
            return candidate
    if isinstance(error, aiohttp.ClientOSError) and error.errno is not None:
        return OSError(error.errno, reason_of(error))
    return None
