"""Where the scheduler is, and whether credentials may go there."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterable

from bulkup.errors import UsageError

LOCAL = "local:"
_ENCRYPTED = ("tls://", "wss://")
Resolve = Callable[[str], Iterable[str]]


def local_workers(address: str) -> int | None:
    """Return the N of `local:N`, None for the address of a scheduler. Pure."""
    return int(address[len(LOCAL) :]) if address.startswith(LOCAL) else None


def addresses_of(host: str) -> list[str]:
    """Return the addresses of a host. Raises OSError."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, None)]


def has_tls(address: str) -> bool:
    """Return whether an address of Dask is one with TLS of Dask's own. Pure."""
    return address.startswith("tls://")


def is_tcp(address: str) -> bool:
    """Return whether an address of Dask is one of plain TCP, which is the default. Pure."""
    return address.startswith("tcp://") or "://" not in address


def check_encrypted(address: str, *, insecure: bool, resolve: Resolve = addresses_of) -> None:
    """Raise `UsageError` where credentials and URLs would go over a network in the clear.

    A scheduler on the loopback has its workers on this machine, or behind a tunnel.
    """
    if insecure or address.startswith(_ENCRYPTED) or address.startswith("inproc://"):
        return
    host = _host(address)
    try:
        found = list(resolve(host))
    except OSError as error:
        raise UsageError(f"the host of the Dask scheduler, {host}, is not known: {error.strerror or error}") from error
    if not all(ipaddress.ip_address(one.partition("%")[0]).is_loopback for one in found):
        raise UsageError(
            f"the Dask scheduler at {address} has no TLS: credentials and upload URLs would be sent in the clear",
            hint="use a tls:// address and set distributed.comm.tls in the Dask configuration; or set "
            "cluster_insecure where the network itself is trusted",
        )


def _host(address: str) -> str:
    rest = address.partition("://")[2] or address
    return rest[1 : rest.index("]")] if rest.startswith("[") and "]" in rest else rest.rpartition(":")[0] or rest
