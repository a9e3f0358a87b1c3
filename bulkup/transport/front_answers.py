"""Answers of a web server in front of a service or store, which did not pass the request on.

They look like an answer about a file, but every request gets them. Pure.
"""

from __future__ import annotations

import re

from bulkup.helpers.lazy_pattern import lazy_pattern
from bulkup.helpers.secrets import SecretUrl
from bulkup.transport.failures import FailureKind

BAD_REQUEST = 400
# nginx, servers in Go, Apache and Tomcat, after plain HTTP to a port for TLS.
_PLAIN_ON_TLS = lazy_pattern(
    rb"plain HTTP request was sent to HTTPS port|HTTP request to an HTTPS server"
    rb"|speaking plain HTTP to an SSL-enabled|combination of host and port requires TLS",
    re.IGNORECASE,
)
_NO_CERTIFICATE = lazy_pattern(rb"No required SSL certificate was sent", re.IGNORECASE)  # nginx


def failure_in_answer(url: SecretUrl, status: int, body: bytes) -> FailureKind | None:
    """Return the failure that an answer describes, None for other answers."""
    if status != BAD_REQUEST:
        return None
    if url.origin.startswith("http:"):
        return FailureKind.EXPECTS_TLS if _PLAIN_ON_TLS.search(body) else None
    return FailureKind.WANTS_CERTIFICATE if _NO_CERTIFICATE.search(body) else None
