"""Rules for the hosts of upload URLs: the allowed hosts, and no private addresses for a public service. Pure.

A service's answer decides where the bytes of a file go. A crafted answer could name a machine behind the user's
firewall. So the URLs of a public service may only lead to public addresses, unless the user allowed the host.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from bulkup.helpers.address_literals import literal
from bulkup.helpers.quick_dataclass import dataclass
from bulkup.model.problems import Problem, ProblemError, ProblemKind

_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")  # all IPv6 addresses assigned so far (RFC 4291 2.4)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address


@dataclass(frozen=True, slots=True)
class HostRules:
    """The hosts that bytes may go to.

    `allowed` holds names, patterns such as `*.example.org`, and addresses, as `bulkup.config.host_names` writes them.
    If it is not empty, all other hosts are refused. `api_host` is the host of the service's API. If it is None,
    private addresses are not refused.
    """

    allowed: tuple[str, ...] = ()
    api_host: str | None = None

    def check_name(self, host: str) -> None:
        """Raise `ProblemError` for a host that is not allowed."""
        if self.allowed and not self.trusts(host) and not any(_is_subdomain(host, entry) for entry in self.allowed):
            raise _refused(f"{host}, which allowed_hosts does not name")

    def trusts(self, host: str) -> bool:
        """Return whether the user allowed this very host. It may then have any address."""
        return _normalized(host) in self.allowed


def check_addresses(host: str, addresses: Iterable[str]) -> None:
    """Raise `ProblemError` for a host with an address that is not public."""
    for address in addresses:
        if not is_public(address):
            where = host if _normalized(host) == address else f"{host} at {address}"
            raise _refused(
                f"{where}, which is not a public address, unlike that of the service; if this is intended, add "
                f"{host} to allowed_hosts"
            )


def is_public(address: str) -> bool:
    """Return whether the text is a public address, one that a machine on the internet can have.

    Not public are private, loopback, link-local, unique-local, shared (CGNAT), multicast, unspecified and reserved
    addresses, and IPv6 addresses that embed such an IPv4 address.
    """
    found = literal(address)
    if isinstance(found, ipaddress.IPv4Address):
        return found.is_global and not found.is_multicast
    if found is None:
        return False
    inner = found.ipv4_mapped or found.sixtofour or (_last_32_bits(found) if found in _NAT64 else None)
    if inner is not None:
        return is_public(str(inner))
    return found in _GLOBAL_UNICAST and found.is_global


def _normalized(host: str) -> str:
    """Return a host in the form of `allowed_hosts`."""
    address = literal(host)
    return str(address) if address is not None else host.lower().rstrip(".")


def _is_subdomain(host: str, entry: str) -> bool:
    return entry.startswith("*.") and literal(host) is None and _normalized(host).endswith(entry[1:])


def _last_32_bits(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address:
    return ipaddress.IPv4Address(address.packed[-4:])


def _refused(where: str) -> ProblemError:
    return ProblemError(Problem(ProblemKind.UNUSABLE, f"a file was to be sent to {where}"))
