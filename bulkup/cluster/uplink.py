"""The messages of a worker to the coordinator: records that wait for their answer, outcomes, and news.

Nothing here waits for the network. The coordinator collects all waiting records at once, so many share a message.
A batch is kept until the next request: if the answer was lost on its way, it is sent again.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from bulkup.cluster.sealed_body import SealedBody
from bulkup.cluster.wire_values import Plain

NEWS = 0  # the number of a message without an answer


class Uplink:
    """Gathers messages, and hands the answers to those that wait. Use it in one event loop."""

    def __init__(self) -> None:
        self._messages: list[Plain] = []
        self._outcomes: list[Plain] = []
        self._settled: list[Callable[[], None]] = []
        self._waiting: dict[int, Callable[[Any], None]] = {}
        self._last = 0
        self._batch = 0
        self._body = SealedBody(b"")
        self._some = asyncio.Event()

    def tell(self, kind: str, *values: Any) -> None:
        """Send news."""
        self._messages.append((kind, NEWS, *values))
        self._some.set()

    def ask(self, kind: str, *values: Any) -> asyncio.Future[Any]:
        """Send a record; the future has the answer once its rows are on disk."""
        answer = asyncio.get_running_loop().create_future()
        self._messages.append((kind, self._number(lambda value: _set(answer, value)), *values))
        self._some.set()
        return answer

    def outcome(self, plain: Plain, settled: Callable[[], None]) -> None:
        """Send an outcome; `settled` is called once its row is on disk."""
        self._outcomes.append(plain)
        self._settled.append(settled)
        self._some.set()

    def answered(self, number: int, value: Any) -> None:
        """Take the answer to a record or to a group of outcomes."""
        take = self._waiting.pop(number, None)
        if take is not None:
            take(value)

    async def collect(self, wanted: int, wait: float, linger: float) -> SealedBody:
        """Return the batch with the number `wanted`; an empty one if nothing comes for `wait` seconds.

        From the first message on, it waits `linger` seconds for others. To ask for a number again returns the same
        batch.
        """
        if wanted == self._batch:
            return self._body
        if not self._some.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._some.wait(), wait)
        if self._some.is_set() and linger:
            await asyncio.sleep(linger)
        self._batch, self._body = wanted, SealedBody.of(self._take())
        return self._body

    def _take(self) -> list[Plain]:
        messages, self._messages = self._messages, []
        if self._outcomes:
            outcomes, self._outcomes = self._outcomes, []
            settled, self._settled = self._settled, []
            messages.append(("outcomes", self._number(lambda _: [one() for one in settled]), outcomes))
        self._some.clear()
        return messages

    def _number(self, take: Callable[[Any], Any]) -> int:
        self._last += 1
        self._waiting[self._last] = take
        return self._last


def _set(answer: asyncio.Future[Any], value: Any) -> None:
    if not answer.done():
        answer.set_result(value)
