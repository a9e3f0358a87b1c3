"""A number of units that are taken and given back, first come first served.

Two of them bound a run: files on their way, and bytes held in memory. Since the stages pass files on in a loop (a file
may go back for a new URL), channels with bounds of their own can block one another; with the budget taken where a file
enters, and queues inside the loop that hold at least as many, no hand-over can block (docs/design.md section 2).
"""

from __future__ import annotations

from collections import deque

import anyio


class Budget:
    """Counts in whole units. `take` waits, `give` never does."""

    def __init__(self, total: int) -> None:
        self.total = total
        self._free = total
        self._waiting: deque[tuple[int, anyio.Event]] = deque()
        self._idle = anyio.Event()
        self._idle.set()

    @property
    def outstanding(self) -> int:
        """Units taken and not given back."""
        return self.total - self._free

    def try_take(self, units: int) -> bool:
        """Take the units if they are there and nobody waits for some."""
        if self._waiting or units > self._free:
            return False
        self._remove(units)
        return True

    async def take(self, units: int) -> None:
        """Take the units, waiting for them. The caller asks for no more than the total."""
        if self.try_take(units):
            return
        turn = anyio.Event()
        entry = (units, turn)
        self._waiting.append(entry)
        try:
            await turn.wait()
        except BaseException:
            if turn.is_set():  # the turn came together with the cancellation
                self.give(units)
            else:
                self._waiting.remove(entry)
                self.give(0)  # those behind may fit where this one did not
            raise

    def give(self, units: int) -> None:
        """Give units back, and let those who wait go on."""
        self._free += units
        while self._waiting and self._waiting[0][0] <= self._free:
            wanted, turn = self._waiting.popleft()
            self._remove(wanted)
            turn.set()
        if self._free == self.total:
            self._idle.set()

    async def wait_idle(self) -> None:
        """Return when everything taken was given back."""
        while self._free < self.total:
            await self._idle.wait()

    def _remove(self, units: int) -> None:
        if self._idle.is_set():
            self._idle = anyio.Event()
        self._free -= units
