"""Wakes one loop: at a time, or when another task has something for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager

import anyio

Timeout = Callable[[float | None], AbstractContextManager[object]]


class Alarm:
    """A loop calls `wait` after each look at its state; any other task calls `wake` after it changed that state.

    A call of `wake` between two waits is not lost: the next wait returns at once. `timeout` returns a scope that ends
    after a number of seconds, as `anyio.move_on_after` does.
    """

    def __init__(self, timeout: Timeout = anyio.move_on_after) -> None:
        self._timeout = timeout
        self._is_woken = False
        self._woken = anyio.Event()

    def wake(self) -> None:
        """End the wait of the loop."""
        if not self._is_woken:
            self._is_woken = True
            self._woken.set()

    async def wait(self, seconds: float | None) -> None:
        """Return after `wake`, or after `seconds`; None is without a limit."""
        if self._is_woken:
            await asyncio.sleep(0)  # other tasks have their turn
        elif seconds is None:
            await self._woken.wait()
        else:
            with self._timeout(seconds):
                await self._woken.wait()
        self._woken, self._is_woken = anyio.Event(), False
