"""Enforces `HostRules` on connections to storage, by the addresses that are connected to as well as by name."""

from __future__ import annotations

from yarl import URL

from bulkup.helpers.address_literals import literal
from bulkup.helpers.secrets import SecretUrl
from bulkup.transport.destination.host_rules import HostRules, check_addresses, is_public
from bulkup.transport.destination.resolver import Resolver

_MAX_PASSED = 1000


class GuardedResolver:
    """A `Resolver` for the names of storage that refuses addresses against the rules.

    Connections go to the very addresses that it returns, so a name that resolves differently the second time (DNS
    rebinding) gains nothing. URLs with a literal address are never resolved; `check_url` checks those before a request.
    """

    def __init__(self, rules: HostRules, resolver: Resolver) -> None:
        self._rules = rules
        self._resolver = resolver
        self._api_is_public: bool | None = None
        self._passed: set[str] = set()  # origins; millions of URLs share a few of them

    async def check_url(self, url: SecretUrl) -> None:
        """Raise `ProblemError` if the rules refuse the host in the URL."""
        origin = url.origin
        if origin in self._passed:
            return
        host = URL(origin, encoded=True).raw_host or ""  # the host that is connected to
        self._rules.check_name(host)
        if literal(host) is not None and await self._needs_public(host):
            check_addresses(host, [str(literal(host))])
        if len(self._passed) < _MAX_PASSED:
            self._passed.add(origin)

    async def addresses(self, host: str) -> list[str]:
        """Return the addresses of a name. Raises `ProblemError` if one is refused, OSError if there are none."""
        addresses = await self._resolver.addresses(host)
        if not all(map(is_public, addresses)) and await self._needs_public(host):
            check_addresses(host, addresses)
        return addresses

    async def _needs_public(self, host: str) -> bool:
        """Return whether a host may only have public addresses."""
        if self._rules.api_host is None or self._rules.trusts(host):
            return False
        if self._api_is_public is None:
            self._api_is_public = await self._looks_public(self._rules.api_host)
        return self._api_is_public

    async def _looks_public(self, api_host: str) -> bool:
        """Return whether the API has a public address. True if its name cannot be resolved here, as behind a proxy."""
        if literal(api_host) is not None:
            return is_public(api_host)
        try:
            found = await self._resolver.addresses(api_host)
        except OSError:
            return True
        return any(map(is_public, found)) or not found
