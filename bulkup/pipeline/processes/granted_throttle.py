"""The limit on the bytes sent, in a sending process: it asks its parent for each piece, and sends once it has a grant.

The parent takes the bytes out of the one bucket of the run. So the sum over all processes holds, and a process that has
much to send is not held back by one that has nothing. Grants are for bytes, not for a certain request: the first
request that waits gets them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from bulkup.pipeline.policy.bandwidth import BandwidthOptions, piece_size, whole_size


class GrantedThrottle:
    """A `transport.Throttle`; `ask` asks the parent for a number of bytes."""

    def __init__(self, ask: Callable[[int], None], options: BandwidthOptions | None = None) -> None:
        self.piece: int | None = None
        self.at_once = 0
        self._ask = ask
        self._options = options or BandwidthOptions()
        self._granted = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    def take(self, rate: float | None, granted: int) -> None:
        """Take a message of the parent: the limit of the run in bytes per second, and bytes that may be sent."""
        if rate is None:
            self.piece, self.at_once, self._granted = None, 0, 0
        else:
            self.piece, self.at_once = piece_size(rate, self._options), whole_size(rate, self._options)
            self._granted += granted
        while self._waiting:
            count, turn = self._waiting[0]
            if not turn.done():  # else its caller has given up, and the next request gets its bytes
                if rate is not None and self._granted < count:
                    return
                turn.set_result(None)
                self._granted -= count if rate is not None else 0
            self._waiting.popleft()

    def request(self, count: int) -> asyncio.Future[None] | None:
        """Take bytes, as `transport.Throttle` says."""
        if self.piece is None:
            return None
        if not self._waiting and self._granted >= count:  # left by a request that was given up
            self._granted -= count
            return None
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append((count, turn))
        self._ask(count)
        return turn
