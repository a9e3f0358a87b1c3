"""How a connection is made: TLS with an optional private CA, and the proxies of the environment."""

from __future__ import annotations

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


def proxy_for(url: str) -> str | None:
    """Return the proxy that the environment names for this URL (http_proxy, https_proxy, no_proxy), None for none."""
    parts = urlsplit(url)
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy or proxy_bypass(parts.netloc):
        return None
    return proxy
