"""Measures how long the requests to a service's API take."""

from __future__ import annotations

from bulkup.helpers.clock import Clock
from bulkup.model.histogram import Histogram
from bulkup.model.http import ApiAnswer, ApiCall, ApiRequest


class TimedCall:
    """Wraps an API call, and counts the durations of those that were answered."""

    def __init__(self, call: ApiCall, durations: Histogram, clock: Clock) -> None:
        self._call = call
        self._durations = durations
        self._clock = clock

    async def __call__(self, request: ApiRequest) -> ApiAnswer:
        """Carry out a request."""
        begun = self._clock.monotonic()
        answer = await self._call(request)
        self._durations.add(self._clock.monotonic() - begun)
        return answer
