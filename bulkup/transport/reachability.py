"""Opens one connection to see whether a server can be reached, for `bulkup doctor`. It sends nothing, and blocks."""

from __future__ import annotations

import socket
import ssl
import time
from typing import NamedTuple
from urllib.parse import urlsplit

from bulkup.errors import UsageError
from bulkup.transport.tls import tls_context
from bulkup.transport.tls_failures import explain

_PORTS = {"http": 80, "https": 443}
_TIMEOUT = 10.0  # seconds for the connection, and for the handshake


class Reached(NamedTuple):
    """A connection that was opened. `tls` is the version of TLS, None without; its certificate ends at a Unix time."""

    address: str
    seconds: float
    tls: str | None
    certificate_ends: float


def reach(url: str, ca_file: str | None) -> Reached:
    """Connect to the server of a URL, and close the connection. Raises OSError, and `UsageError` for TLS and the CA."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 80)
    context = tls_context(ca_file) if parts.scheme == "https" else None
    begun = time.monotonic()
    with socket.create_connection((host, port), timeout=_TIMEOUT) as connection:
        address = str(connection.getpeername()[0])
        if context is None:
            return Reached(address, time.monotonic() - begun, None, 0.0)
        try:
            with context.wrap_socket(connection, server_hostname=host) as secured:
                ends = ssl.cert_time_to_seconds(str((secured.getpeercert() or {})["notAfter"]))
                return Reached(address, time.monotonic() - begun, secured.version(), ends)
        except ssl.SSLError as error:
            raise UsageError(explain(error, host)) from error
