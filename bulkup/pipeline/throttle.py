"""The limit on the bytes that a run sends per second, shared by all that send: workers, and sending processes.

Requests are served in their order. `policy.bandwidth` decides when; here are the queue and the timer. Without a limit
a request costs one comparison.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol

from bulkup.helpers.clock import Clock
from bulkup.pipeline.policy.bandwidth import BandwidthOptions, TokenBucket, piece_size, whole_size

_ROUNDING = 1e-4  # seconds that a timer is set later, or it might find the bucket short of a fraction of a byte


class Timer(Protocol):
    """The handle of a call that was scheduled."""

    def cancel(self) -> None:
        """Drop the call."""


CallLater = Callable[[float, Callable[[], None]], Timer]


class SharedThrottle:
    """A `transport.Throttle` for a whole run. Use it in one event loop.

    `rate` is the limit in bytes per second, None for none. `call_later` schedules a call after some seconds, as the
    event loop does; tests pass one with a time of their own.
    """

    def __init__(
        self, clock: Clock, options: BandwidthOptions | None = None, call_later: CallLater | None = None
    ) -> None:
        self.options = options or BandwidthOptions()
        self.rate: float | None = None
        self.piece: int | None = None
        self.at_once = 0
        self._clock = clock
        self._call_later = call_later
        self._bucket: TokenBucket | None = None
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._timer: Timer | None = None
        self._delayed = 0
        self._listeners: list[Callable[[], None]] = []

    @property
    def waiting(self) -> int:
        """The number of requests that wait."""
        return len(self._waiting)

    def delayed(self) -> int:
        """Return how many requests have had to wait since the last call of this method, or wait now."""
        delayed, self._delayed = self._delayed, len(self._waiting)
        return delayed

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each change of the limit."""
        self._listeners.append(listener)

    def limit(self, rate: float | None) -> None:
        """Set the limit in bytes per second, None for none. Requests that wait follow the new one."""
        self.rate = rate
        if rate is None:
            self._bucket, self.piece, self.at_once = None, None, 0
        else:
            self._bucket = TokenBucket(rate, self._clock.monotonic(), self.options)
            self.piece, self.at_once = piece_size(rate, self.options), whole_size(rate, self.options)
        self._stop_timer()
        self._serve()
        for listener in self._listeners:
            listener()

    def request(self, count: int) -> asyncio.Future[None] | None:
        """Take bytes, as `transport.Throttle` says."""
        bucket = self._bucket
        if bucket is None or (not self._waiting and bucket.take(count, self._clock.monotonic())):
            return None
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append((count, turn))
        self._delayed += 1
        if self._timer is None:
            self._serve()
        return turn

    def close(self) -> None:
        """Drop the timer, at the end of a run."""
        self._stop_timer()
        self._waiting.clear()

    def _serve(self) -> None:
        """Let those send whose turn has come, and set the timer for the next one."""
        self._timer = None
        bucket, now = self._bucket, self._clock.monotonic()
        while self._waiting:
            count, turn = self._waiting[0]
            if not turn.done():  # else its caller has given up
                if bucket is not None and not bucket.take(count, now):
                    self._set_timer(bucket.seconds_until(count))
                    return
                turn.set_result(None)
            self._waiting.popleft()

    def _set_timer(self, seconds: float) -> None:
        call_later = self._call_later or asyncio.get_running_loop().call_later
        self._timer = call_later(seconds + _ROUNDING, self._serve)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
