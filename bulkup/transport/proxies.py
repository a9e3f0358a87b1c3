"""The proxies that the environment names."""

from __future__ import annotations

from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass


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
