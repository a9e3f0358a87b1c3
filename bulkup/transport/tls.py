"""TLS of connections: the system's authorities, with an optional private CA."""

from __future__ import annotations

import functools
import ssl

from bulkup.errors import UsageError


def tls_context(ca_file: str | None) -> ssl.SSLContext:
    """Return a context that verifies against the system's authorities, and `ca_file` beside them.

    Raises `UsageError` when the file cannot be used.
    """
    context = ssl.create_default_context()
    if ca_file is not None:
        try:
            context.load_verify_locations(ca_file)
        except (OSError, ssl.SSLError) as error:
            raise UsageError(
                f"cannot use the CA file {ca_file}: {error.strerror or error}", hint="it must hold PEM certificates"
            ) from error
    return context


class TlsVerification:
    """Whose certificates are taken. The context is made when it is first needed: reading the system's authorities takes
    as long as sending some hundred small files.

    Raises `UsageError` at once when `ca_file` cannot be used.
    """

    def __init__(self, ca_file: str | None) -> None:
        self._ca_file = ca_file
        if ca_file is not None:
            self.context  # noqa: B018  # made here and now

    @functools.cached_property
    def context(self) -> ssl.SSLContext:
        """The context for connections of our own."""
        return tls_context(self._ca_file)

    @property
    def for_aiohttp(self) -> ssl.SSLContext | bool:
        """What aiohttp takes; it has read the system's authorities by itself."""
        return True if self._ca_file is None else self.context
