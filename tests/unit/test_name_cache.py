"""Tasks that look up a name at the same time share one lookup, and cancelling one does not affect the others."""

from __future__ import annotations

import asyncio
import socket

import pytest

from bulkup.transport.lean.name_cache import NameCache


class SlowResolver:
    """Answers after `release` is set, and counts the lookups."""

    def __init__(self) -> None:
        self.lookups = 0
        self.release = asyncio.Event()
        self.error: Exception | None = None

    async def addresses(self, host: str) -> list[str]:
        self.lookups += 1
        await self.release.wait()
        if self.error is not None:
            raise self.error
        return ["192.0.2.1", "2001:db8::1"]


FOUND = [
    (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("192.0.2.1", 443)),
    (socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("2001:db8::1", 443, 0, 0)),
]


async def looking_up(names: NameCache, count: int) -> list[asyncio.Task[object]]:
    async def look_up() -> object:
        return await names.addresses("s.example", 443)

    tasks = [asyncio.create_task(look_up()) for _ in range(count)]
    await asyncio.sleep(0)
    return tasks


async def test_simultaneous_lookups_are_joined() -> None:
    resolver = SlowResolver()
    tasks = await looking_up(NameCache(resolver), 5)
    resolver.release.set()
    assert await asyncio.gather(*tasks) == [FOUND] * 5
    assert resolver.lookups == 1


async def test_a_failure_reaches_all_waiting_tasks_and_is_not_cached() -> None:
    resolver = SlowResolver()
    names = NameCache(resolver)
    tasks = await looking_up(names, 3)
    resolver.error = OSError("no such name")
    resolver.release.set()
    assert await asyncio.gather(*tasks, return_exceptions=True) == [resolver.error] * 3
    resolver.error = None
    assert await names.addresses("s.example", 443) == FOUND
    assert resolver.lookups == 2


@pytest.mark.parametrize("cancelled", [0, 1])
async def test_cancelling_one_task_does_not_affect_the_others(cancelled: int) -> None:
    """Neither if it is the task that makes the lookup, nor if it waits for one."""
    resolver = SlowResolver()
    tasks = await looking_up(NameCache(resolver), 3)
    tasks.pop(cancelled).cancel()
    await asyncio.sleep(0)
    resolver.release.set()
    assert await asyncio.gather(*tasks) == [FOUND] * 2
    assert resolver.lookups == (2 if cancelled == 0 else 1)


async def test_an_answer_is_cached_for_ten_seconds() -> None:
    now = [100.0]
    resolver = SlowResolver()
    resolver.release.set()
    names = NameCache(resolver, now=lambda: now[0])
    for now[0], lookups in ((100.0, 1), (109.0, 1), (111.0, 2)):
        assert await names.addresses("s.example", 443) == FOUND
        assert resolver.lookups == lookups
