"""The verification of TLS certificates: by the system's authorities, and optionally a private CA."""

from __future__ import annotations

import functools
import ssl

from bulkup.errors import UsageError
from bulkup.helpers.input_files import open_input


def tls_context(ca_file: str | None) -> ssl.SSLContext:
    """Return a context that verifies by the system's authorities, and by those in `ca_file`.

    Raises `UsageError` when the file cannot be used.
    """
    context = ssl.create_default_context()
    if ca_file is not None:
        try:
            open_input(ca_file, pipes=False).close()  # a named pipe would block
            context.load_verify_locations(ca_file)
        except (OSError, ssl.SSLError) as error:
            raise UsageError(
                f"cannot use the CA file {ca_file}: {error.strerror or error}", hint="it must hold PEM certificates"
            ) from error
    return context


class TlsVerification:
    """The authorities that a run trusts. Raises `UsageError` at once when `ca_file` cannot be used.

    Without `ca_file` the context is created at its first use, because reading the system's authorities takes as long as
    sending some hundred small files.
    """

    def __init__(self, ca_file: str | None) -> None:
        self._ca_file = ca_file
        if ca_file is not None:
            self.context  # noqa: B018  # create it now

    @functools.cached_property
    def context(self) -> ssl.SSLContext:
        """The context for all connections of a run."""
        return tls_context(self._ca_file)

    def for_aiohttp(self, *urls: str | None) -> ssl.SSLContext | bool:
        """Return aiohttp's parameter `ssl` for a request to a URL, or through the URL of a proxy.

        It is the context if one of them uses TLS. True stands for aiohttp's own context, which may have no authorities.
        """
        return self.context if any(url is not None and url[:6].lower() == "https:" for url in urls) else True
