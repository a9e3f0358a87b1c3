"""Name resolution by the system, and its interface for aiohttp."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from bulkup.transport.by_aiohttp.client_session import ClientResolver
from bulkup.transport.destination.resolver import SystemResolver

FOUND = [("192.0.2.1", 0), ("2001:db8::1", 0, 0, 0), ("fe80::1", 0, 0, 7)]


@pytest.fixture
async def _found(monkeypatch: pytest.MonkeyPatch) -> None:
    async def getaddrinfo(*given: Any, **named: Any) -> list[tuple[Any, ...]]:
        return [(None, None, None, "", where) for where in FOUND]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)


@pytest.mark.usefixtures("_found")
async def test_addresses_of_both_families_in_the_systems_order() -> None:
    """A link-local address carries its zone; without one it is unusable."""
    assert await SystemResolver().addresses("s.example") == ["192.0.2.1", "2001:db8::1", "fe80::1%7"]


async def test_localhost_and_an_unknown_name() -> None:
    assert {*await SystemResolver().addresses("localhost")} <= {"127.0.0.1", "::1"}
    with pytest.raises(OSError):  # noqa: PT011  # its text is the system's
        await SystemResolver().addresses("no-such-name.invalid")


@pytest.mark.usefixtures("_found")
@pytest.mark.parametrize(
    ("family", "count"), [(socket.AF_UNSPEC, 3), (socket.AF_INET, 1), (socket.AF_INET6, 2)], ids=["any", "4", "6"]
)
async def test_aiohttp_gets_the_requested_address_family(family: socket.AddressFamily, count: int) -> None:
    found = await ClientResolver(SystemResolver()).resolve("s.example", 443, family)
    assert len(found) == count
    assert all((entry["hostname"], entry["port"]) == ("s.example", 443) for entry in found)
    assert all((entry["family"] is socket.AF_INET6) == (":" in entry["host"]) for entry in found)
