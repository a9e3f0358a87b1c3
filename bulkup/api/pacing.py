"""Keeps API calls below a number a second (setting `rate_limit`)."""

from __future__ import annotations

import anyio

from bulkup.helpers.clock import Clock
from bulkup.model.http import ApiAnswer, ApiCall, ApiRequest


class Pacer:
    """Wraps an API call: calls start at even distances. Presign tasks wait here, never workers."""

    def __init__(self, call: ApiCall, calls_per_second: float, clock: Clock) -> None:
        self._call = call
        self._spacing = Spacing(calls_per_second)
        self._clock = clock

    async def __call__(self, request: ApiRequest) -> ApiAnswer:
        """Wait for this call's turn and carry it out."""
        await anyio.sleep(self._spacing.wait(self._clock.monotonic()))
        return await self._call(request)


class Spacing:
    """Hands out starting times at even distances; pure, the time is passed in."""

    def __init__(self, per_second: float) -> None:
        self._distance = 1.0 / per_second
        self._next = 0.0

    def wait(self, now: float) -> float:
        """Return how many seconds a call that arrives at `now` has to wait."""
        start = max(now, self._next)
        self._next = start + self._distance
        return start - now
