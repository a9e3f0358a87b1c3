"""How a connection is made: TLS with an optional private CA, and the proxies of the environment."""

from __future__ import annotations

import functools
import ssl
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

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


class Verification:
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


class Proxies:
    """The proxies that the environment names (http_proxy, https_proxy, all_proxy, no_proxy), read once."""

    def __init__(self) -> None:
        self._by_scheme = {
            scheme: proxy if "://" in proxy else f"http://{proxy}" for scheme, proxy in getproxies().items() if proxy
        }
        self._known: dict[tuple[str, str], str | None] = {}

    def for_url(self, url: str) -> str | None:
        """Return the proxy for this URL, None for none."""
        if not self._by_scheme:
            return None
        parts = urlsplit(url)
        origin = (parts.scheme, parts.netloc)
        if origin not in self._known:
            proxy = self._by_scheme.get(parts.scheme) or self._by_scheme.get("all")
            self._known[origin] = None if proxy_bypass(parts.netloc) else proxy
        return self._known[origin]
