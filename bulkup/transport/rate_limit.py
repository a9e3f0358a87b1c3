"""Limits how many API calls start in a second (setting `rate_limit`)."""

from __future__ import annotations

import anyio

from bulkup.helpers.clock import Clock
from bulkup.model.http import ApiAnswer, ApiCall, ApiRequest


class RateLimitedCall:
    """Wraps an API call so that calls start at equal intervals. Workers never wait here."""

    def __init__(self, call: ApiCall, calls_per_second: float, clock: Clock) -> None:
        self._call = call
        self._limiter = RateLimiter(calls_per_second)
        self._clock = clock

    async def __call__(self, request: ApiRequest) -> ApiAnswer:
        """Wait until this call may start, and carry it out."""
        await anyio.sleep(self._limiter.wait(self._clock.monotonic()))
        return await self._call(request)


class RateLimiter:
    """Assigns start times at equal intervals. It reads no clock: the time is passed in."""

    def __init__(self, per_second: float) -> None:
        self._interval = 1.0 / per_second
        self._next: float | None = None  # no call has started yet

    def wait(self, now: float) -> float:
        """Return how many seconds a call that arrives at `now` has to wait."""
        start = now if self._next is None else max(now, self._next)
        self._next = start + self._interval
        return start - now
