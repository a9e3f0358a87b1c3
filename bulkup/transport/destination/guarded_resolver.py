"""Holds storage's connections to `HostRules`, by the addresses that are connected to and not by names alone."""

from __future__ import annotations

from yarl import URL

from bulkup.helpers.secrets import SecretUrl
from bulkup.transport.destination.host_rules import HostRules, check_addresses, is_public, literal
from bulkup.transport.destination.resolver import Resolver

_REMEMBERED = 1000


class GuardedResolver:
    """A `Resolver` that looks up storage's names for the connector, and refuses those that lead where they must not.

    What it returns is what is connected to, so a name that leads elsewhere the second time gains nothing. The connector
    does not ask it about addresses, hence `check_url` before each request.
    """

    def __init__(self, rules: HostRules, resolver: Resolver) -> None:
        self._rules = rules
        self._resolver = resolver
        self._api_is_public: bool | None = None
        self._passed: set[str] = set()  # origins, as millions of URLs have the same few

    async def check_url(self, url: SecretUrl) -> None:
        """Raise `ProblemError` where the rules refuse the URL's host as it is written."""
        origin = url.origin
        if origin in self._passed:
            return
        host = URL(origin, encoded=True).raw_host or ""  # what the client connects to
        self._rules.check_name(host)
        if literal(host) is not None and await self._is_bound(host):
            check_addresses(host, [str(literal(host))])
        if len(self._passed) < _REMEMBERED:
            self._passed.add(origin)

    async def addresses(self, host: str) -> list[str]:
        """Return the addresses of a name. Raises `ProblemError` where one of them is refused, OSError without any."""
        addresses = await self._resolver.addresses(host)
        if not all(map(is_public, addresses)) and await self._is_bound(host):
            check_addresses(host, addresses)
        return addresses

    async def _is_bound(self, host: str) -> bool:
        """Say whether a host may lead to public addresses alone."""
        if self._rules.api_host is None or self._rules.trusts(host):
            return False
        if self._api_is_public is None:
            self._api_is_public = await self._looks_public(self._rules.api_host)
        return self._api_is_public

    async def _looks_public(self, api_host: str) -> bool:
        """Say whether the service is out on the internet; so it is taken to be where its name is not known here."""
        if literal(api_host) is not None:
            return is_public(api_host)
        try:
            found = await self._resolver.addresses(api_host)
        except OSError:
            return True
        return any(map(is_public, found)) or not found
