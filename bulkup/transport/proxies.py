"""The proxies that the environment names: http_proxy, https_proxy, all_proxy and no_proxy (docs/proxies.md).

No other module reads these variables.
"""

from __future__ import annotations

import ipaddress
import os
import re
import sys
from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

from yarl import URL

from bulkup.errors import UsageError
from bulkup.helpers.address_literals import literal
from bulkup.helpers.lazy_pattern import lazy_pattern
from bulkup.model.problems import Problem, ProblemError, ProblemKind

PROXY_AUTHENTICATION_REQUIRED = 407
_PORTS = {"http": 80, "https": 443}
_SUPPORTED = ("http", "https")
# In no_proxy, it removes the rule that this machine is reached directly. Chromium uses the same word.
_LOOPBACK_BY_PROXY = "<-loopback>"
_WITH_PORT = lazy_pattern(r"([^:]+|\[.*\]):(\d+)")  # an address of IPv6 has a port only after brackets
_SCHEME = lazy_pattern(r"[A-Za-z][A-Za-z0-9+.-]{0,30}")
_MAX_KNOWN = 1000  # origins
_MACOS: bool = sys.platform == "darwin"  # only there the system has settings of proxies beside the environment


class Proxies:
    """The proxies of the environment, read once, or those that are `given` by scheme, with "no" for the exceptions."""

    def __init__(self, given: Mapping[str, str] | None = None) -> None:
        given = _of_the_system() if given is None else given
        self._by_scheme = {scheme: given[scheme] for scheme in (*_PORTS, "all") if given.get(scheme)}
        self._exceptions = re.split(r"[,\s]+", given.get("no", "").strip())
        self._by_origin: dict[tuple[str, str], str | None] = {}

    def for_url(self, url: str) -> str | None:
        """Return the proxy for a URL, None for a direct connection.

        Raises `ProblemError` if the proxy's kind is not supported, and ValueError for an invalid URL.
        """
        if not self._by_scheme:
            return None
        parts = urlsplit(url)
        origin = (parts.scheme, parts.netloc)
        if origin not in self._by_origin:
            if len(self._by_origin) >= _MAX_KNOWN:
                self._by_origin.clear()
            self._by_origin[origin] = None if self._is_direct(parts) else self._proxy_of(parts.scheme)
        return self._by_origin[origin]

    def for_message(self, url: str) -> str | None:
        """Return the proxy that a failed request used, None where there was no request."""
        try:
            return self.for_url(url)
        except (ProblemError, ValueError):
            return None

    def check(self, url: str) -> None:
        """Raise `UsageError` if a URL would go through a proxy that cannot be used."""
        try:
            self.for_url(url)
        except ProblemError as error:
            raise UsageError(error.problem.message, hint="docs/proxies.md describes the variables") from None

    def _proxy_of(self, scheme: str) -> str | None:
        chosen = scheme if scheme in self._by_scheme else "all"
        if chosen not in self._by_scheme:
            return None
        proxy, variable = self._by_scheme[chosen], f"{chosen}_proxy"
        kind, separator, _ = proxy.partition("://")
        if not separator:
            kind, proxy = "http", f"http://{proxy}"
        if kind.lower() not in _SUPPORTED and _SCHEME.fullmatch(kind):
            raise _refused(f"{variable} names a {kind.lower()} proxy, and only http and https proxies are supported")
        if kind.lower() not in _SUPPORTED or not _is_usable(proxy):
            raise _refused(f"{variable} is not the address of a proxy")
        return proxy

    def _is_direct(self, parts: SplitResult) -> bool:
        host = (parts.hostname or "").rstrip(".")
        if self._exceptions == ["*"]:
            return True
        if _LOOPBACK_BY_PROXY not in self._exceptions and is_this_machine(host):
            return True
        port = parts.port or _PORTS.get(parts.scheme)
        if any(_matches(entry, host, port) for entry in self._exceptions):
            return True
        return _is_exception_of_macos(parts.netloc)


def is_this_machine(host: str) -> bool:
    """Return whether a host is this machine by its spelling: a loopback or unspecified address, or localhost."""
    address = literal(host)
    if address is None:
        name = host.lower().rstrip(".")
        return name == "localhost" or name.endswith(".localhost")  # RFC 6761 6.3
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_loopback or address.is_unspecified


def _matches(entry: str, host: str, port: int | None) -> bool:
    """Return whether an entry of no_proxy names a host: a name, an address or a network, each also with a port."""
    if with_port := _WITH_PORT.fullmatch(entry):
        entry = with_port[1]
        if int(with_port[2]) != port:
            return False
    address = literal(host)
    if address is None:
        name, wanted = host.lower(), entry.lower().strip(".")
        return bool(wanted) and (name == wanted or name.endswith(f".{wanted}"))
    if "/" not in entry:
        return address == literal(entry)
    try:
        return address in ipaddress.ip_network(entry.replace("[", "").replace("]", ""), strict=False)
    except ValueError:
        return False


def _is_usable(proxy: str) -> bool:
    try:
        url = URL(proxy)
    except ValueError:
        return False
    return bool(url.host and url.port) and not re.search(r"\s", proxy)


def _refused(message: str) -> ProblemError:
    return ProblemError(Problem(ProblemKind.UNUSABLE, message))


def _of_the_system() -> Mapping[str, str]:
    """Return the proxies of the environment, or of the settings of macOS if there are none."""
    if not _MACOS and not any(name.lower().endswith("_proxy") for name in os.environ):
        return {}
    from urllib.request import getproxies  # noqa: PLC0415  # it imports email and http, and few machines have a proxy

    return getproxies()


def _is_exception_of_macos(netloc: str) -> bool:
    """Return whether the settings of macOS except a host. They count if the environment names no proxies."""
    if not _MACOS:
        return False
    from urllib.request import getproxies_environment, proxy_bypass  # noqa: PLC0415  # the same

    return not getproxies_environment() and bool(proxy_bypass(netloc))
