"""Name resolution by the operating system."""

from __future__ import annotations

import asyncio
import socket
from typing import Protocol


class Resolver(Protocol):
    """Looks up host names."""

    async def addresses(self, host: str) -> list[str]:
        """Return the IPv4 and IPv6 addresses of a name. Raises OSError if it has none."""
        ...


class SystemResolver:
    """A `Resolver` that calls `getaddrinfo` in a thread of the event loop."""

    async def addresses(self, host: str) -> list[str]:
        """Return the addresses of a name. Raises OSError if it has none."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
        return [_address(*sockaddr) for _, _, _, _, sockaddr in found]


def _address(host: str, _port: int, _flow: int = 0, scope: int = 0) -> str:
    """Return an address. A link-local one carries its zone (RFC 4007 11)."""
    return f"{host}%{scope}" if scope else host
