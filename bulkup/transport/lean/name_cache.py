"""A cache of DNS answers, which also joins lookups of the same name that run at the same time."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from time import monotonic

from aiohappyeyeballs.types import AddrInfoType

from bulkup.transport.destination.resolver import Resolver

_LIFETIME = 10.0  # seconds


class NameCache:
    """Looks names up and keeps the addresses for some seconds. All tasks that ask at once share one lookup.

    `now` returns monotonic seconds.
    """

    def __init__(self, resolver: Resolver, now: Callable[[], float] = monotonic) -> None:
        self._resolver = resolver
        self._now = now
        self._cached: dict[tuple[str, int], tuple[float, list[AddrInfoType]]] = {}
        self._lookups: dict[tuple[str, int], asyncio.Future[list[AddrInfoType]]] = {}

    async def addresses(self, host: str, port: int) -> list[AddrInfoType]:
        """Return the addresses of a host. Raises OSError, and the resolver's `ProblemError` for a refused address."""
        key = host, port
        while True:
            cached = self._cached.get(key)
            if cached is not None and self._now() < cached[0]:
                return cached[1]
            lookup = self._lookups.get(key)
            if lookup is None:
                return await self._look_up(key)
            await asyncio.wait([lookup])  # unlike `await lookup`, this does not cancel it when this task is cancelled
            if not lookup.cancelled():
                return lookup.result()

    async def _look_up(self, key: tuple[str, int]) -> list[AddrInfoType]:
        self._lookups[key] = lookup = asyncio.get_running_loop().create_future()
        try:
            found = [socket_address(address, key[1]) for address in await self._resolver.addresses(key[0])]
        except Exception as error:
            lookup.set_exception(error)
            lookup.exception()  # mark it as retrieved, in case no other task waits for it
            raise
        else:
            lookup.set_result(found)
            self._cached[key] = self._now() + _LIFETIME, found
            return found
        finally:
            del self._lookups[key]
            lookup.cancel()  # has an effect only when this task was cancelled: a waiting task then looks the name up


def socket_address(address: str, port: int) -> AddrInfoType:
    """Return an address in the form that `getaddrinfo` returns."""
    if ":" in address:
        return socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, port, 0, 0)
    return socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, port)
