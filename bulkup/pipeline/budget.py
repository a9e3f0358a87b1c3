"""A counting semaphore for units that are taken and given back, first come first served.

Two budgets bound a run: files in flight, and bytes held in memory. The stages pass files on in a loop, because a file
may go back for a new URL, and bounded channels in a loop can block one another. A budget cannot: it is taken where a
file enters the loop, and the queues inside hold at least as many files (docs/design.md section 2).
"""

from __future__ import annotations

from collections import deque

import anyio


class Budget:
    """Whole units. `take` may wait, `give` never does."""

    def __init__(self, total: int) -> None:
        self.total = total
        self._free = total
        self._waiting: deque[tuple[int, anyio.Event]] = deque()
        self._idle: anyio.Event | None = None  # only while a task waits for it

    @property
    def outstanding(self) -> int:
        """Units taken and not given back."""
        return self.total - self._free

    @property
    def waited_for(self) -> bool:
        """Whether a task waits for units."""
        return bool(self._waiting)

    def try_take(self, units: int) -> bool:
        """Take the units if they are free and no task waits for units."""
        if self._waiting or units > self._free:
            return False
        self._free -= units
        return True

    def grow(self, units: int) -> None:
        """Have more units in all."""
        self.total += units
        self.give(units)

    async def take(self, units: int) -> None:
        """Take the units once they are free. The caller asks for at most the total."""
        if self.try_take(units):
            return
        turn = anyio.Event()
        entry = (units, turn)
        self._waiting.append(entry)
        try:
            await turn.wait()
        except BaseException:
            if turn.is_set():  # the units came together with the cancellation
                self.give(units)
            else:
                self._waiting.remove(entry)
                self.give(0)  # a later task may need fewer units than this one
            raise

    def give(self, units: int) -> None:
        """Give units back, and wake the tasks that now have theirs."""
        self._free += units
        while self._waiting and self._waiting[0][0] <= self._free:
            wanted, turn = self._waiting.popleft()
            self._free -= wanted
            turn.set()
        if self._idle is not None and self._free == self.total:
            self._idle.set()
            self._idle = None

    async def wait_idle(self) -> None:
        """Return when all units are free."""
        while self._free < self.total:
            self._idle = self._idle or anyio.Event()
            await self._idle.wait()
