"""Where upload URLs may lead: hosts that are pinned, and addresses of the inside that an answer from outside must not
name. Pure.

A service's answer decides where a file's bytes go. One that is crafted could name a machine behind the user's own
firewall, so a public service may name public addresses alone, unless the user has named the host.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass

from bulkup.model.problems import Problem, ProblemError, ProblemKind

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")  # all that is given out of IPv6 (RFC 4291, 2.4)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address


@dataclass(frozen=True, slots=True)
class HostRules:
    """Which hosts bytes may go to.

    `allowed` are names, `*.` and a name for all below it, and addresses, as `bulkup.config.host_names` writes them;
    where there are any, no other host may be named. `api_host` is the service's own, None where it may name any.
    """

    allowed: tuple[str, ...] = ()
    api_host: str | None = None

    def check_name(self, host: str) -> None:
        """Raise `ProblemError` for a host that is not among those pinned."""
        if self.allowed and not self.trusts(host) and not any(_is_below(host, entry) for entry in self.allowed):
            raise _refused(f"{host}, which allowed_hosts does not name")

    def trusts(self, host: str) -> bool:
        """Say whether the user has named this very host, which may then lead anywhere."""
        return _written(host) in self.allowed


def check_addresses(host: str, addresses: Iterable[str]) -> None:
    """Raise `ProblemError` where a host that a public service has named leads to an address that is not public."""
    for address in addresses:
        if not is_public(address):
            where = host if _written(host) == address else f"{host} at {address}"
            raise _refused(
                f"{where}, which is no public address, although the service has one; if that is right, add "
                f"{host} to allowed_hosts"
            )


def is_public(address: str) -> bool:
    """Say whether an address can be that of a machine on the internet; False for what is no address.

    Not public: private, loopback, link-local, unique-local, shared (CGNAT), multicast, unspecified, reserved, and IPv6
    addresses that stand for such an IPv4 address.
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


def literal(host: str) -> Address | None:
    """Return the address that a host's text is, None for a name.

    The system takes more spellings than the usual one (`127.1`, `0x7f.1`, `2130706433`), so they count here too.
    """
    text = host.strip("[]").rstrip(".")
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(text)) if text[:1].isdigit() else None
    except (OSError, ValueError):
        return None


def _written(host: str) -> str:
    """Return a host as `allowed_hosts` has it."""
    address = literal(host)
    return str(address) if address is not None else host.lower().rstrip(".")


def _is_below(host: str, entry: str) -> bool:
    return entry.startswith("*.") and literal(host) is None and _written(host).endswith(entry[1:])


def _last_32_bits(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address:
    return ipaddress.IPv4Address(address.packed[-4:])


def _refused(where: str) -> ProblemError:
    return ProblemError(Problem(ProblemKind.UNUSABLE, f"a file was to be sent to {where}"))
