"""The proxies that the environment names: http_proxy, https_proxy, all_proxy and no_proxy."""

from __future__ import annotations

from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass


class Proxies:
    """The proxies of the environment, read once."""

    def __init__(self) -> None:
        self._by_scheme = {
            scheme: proxy if "://" in proxy else f"http://{proxy}" for scheme, proxy in getproxies().items() if proxy
        }
        self._by_origin: dict[tuple[str, str], str | None] = {}

    def for_url(self, url: str) -> str | None:
        """Return the proxy for a URL, None for a direct connection."""
        if not self._by_scheme:
            return None
        parts = urlsplit(url)
        origin = (parts.scheme, parts.netloc)
        if origin not in self._by_origin:
            proxy = self._by_scheme.get(parts.scheme) or self._by_scheme.get("all")
            self._by_origin[origin] = None if proxy_bypass(parts.netloc) else proxy
        return self._by_origin[origin]
