"""Names are looked up once for all who ask at the same time, and nobody's cancellation is another's."""

from __future__ import annotations

import asyncio
import socket

import pytest

from bulkup.transport.lean import connector
from bulkup.transport.lean.connector import Names


class Slow:
    """Answers when it is let; counts the questions."""

    def __init__(self) -> None:
        self.asked = 0
        self.let = asyncio.Event()
        self.error: Exception | None = None

    async def addresses(self, host: str) -> list[str]:
        self.asked += 1
        await self.let.wait()
        if self.error is not None:
            raise self.error
        return ["192.0.2.1", "2001:db8::1"]


FOUND = [
    (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("192.0.2.1", 443)),
    (socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("2001:db8::1", 443, 0, 0)),
]


async def asking(names: Names, count: int) -> list[asyncio.Task[object]]:
    async def ask() -> object:
        return await names.addresses("s.example", 443)

    tasks = [asyncio.create_task(ask()) for _ in range(count)]
    await asyncio.sleep(0)
    return tasks


async def test_all_who_ask_at_once_are_answered_at_once() -> None:
    resolver = Slow()
    tasks = await asking(Names(resolver), 5)
    resolver.let.set()
    assert await asyncio.gather(*tasks) == [FOUND] * 5
    assert resolver.asked == 1


async def test_a_failure_is_everybodys_and_is_not_kept() -> None:
    resolver = Slow()
    names = Names(resolver)
    tasks = await asking(names, 3)
    resolver.error = OSError("no such name")
    resolver.let.set()
    assert await asyncio.gather(*tasks, return_exceptions=True) == [resolver.error] * 3
    resolver.error = None
    assert await names.addresses("s.example", 443) == FOUND
    assert resolver.asked == 2


@pytest.mark.parametrize("cancelled", [0, 1])
async def test_who_is_cancelled_is_cancelled_alone(cancelled: int) -> None:
    """The one who looks it up, or one who waits for that."""
    resolver = Slow()
    tasks = await asking(Names(resolver), 3)
    tasks.pop(cancelled).cancel()
    await asyncio.sleep(0)
    resolver.let.set()
    assert await asyncio.gather(*tasks) == [FOUND] * 2
    assert resolver.asked == (2 if cancelled == 0 else 1)


async def test_an_answer_is_kept_for_some_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(connector, "monotonic", lambda: now[0])
    resolver = Slow()
    resolver.let.set()
    names = Names(resolver)
    for now[0], asked in ((100.0, 1), (109.0, 1), (111.0, 2)):
        assert await names.addresses("s.example", 443) == FOUND
        assert resolver.asked == asked
