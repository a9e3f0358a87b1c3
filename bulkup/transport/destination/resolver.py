"""Where names lead, as the system says."""

from __future__ import annotations

import asyncio
import socket
from typing import Protocol


class Resolver(Protocol):
    """Looks up names."""

    async def addresses(self, host: str) -> list[str]:
        """Return the addresses of a name, of either family. Raises OSError where there is none."""
        ...


class SystemResolver:
    """A `Resolver` by `getaddrinfo`, in a thread of the loop's."""

    async def addresses(self, host: str) -> list[str]:
        """Return the addresses of a name. Raises OSError where there is none."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
        return [_address(*where) for _, _, _, _, where in found]


def _address(host: str, _port: int, _flow: int = 0, scope: int = 0) -> str:
    """Return an address; one that is good for a single link says for which (RFC 4007 11)."""
    return f"{host}%{scope}" if scope else host
