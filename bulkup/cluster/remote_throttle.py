"""The limits that all workers share, as a worker sees them: the coordinator grants bytes to storage, and API calls.

It takes them out of the one bucket, and the one schedule of calls, of the run. So the sums over all workers hold.
"""

from __future__ import annotations

from collections.abc import Callable

from bulkup.cluster.uplink import Uplink
from bulkup.model.http import ApiAnswer, ApiCall, ApiRequest
from bulkup.pipeline.policy.bandwidth import BandwidthOptions
from bulkup.pipeline.processes.granted_throttle import GrantedThrottle


class RemoteThrottle(GrantedThrottle):
    """A `GrantedThrottle` with what the pipeline asks its `SharedThrottle` for. `rate` is this worker's share."""

    def __init__(self, uplink: Uplink, options: BandwidthOptions | None = None) -> None:
        super().__init__(self._ask_coordinator)
        self.options = options or BandwidthOptions()
        self.rate: float | None = None
        self._uplink = uplink
        self._delayed = 0
        self._listeners: list[Callable[[], None]] = []

    def delayed(self) -> int:
        """Return how many requests have had to wait since the last call of this method."""
        delayed, self._delayed = self._delayed, 0
        return delayed

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each change of the limit."""
        self._listeners.append(listener)

    def limit(self, rate: float | None, share: float | None) -> None:
        """Take the limit of the run in bytes per second, and this worker's share of it; None for no limit."""
        changed, self.rate = share != self.rate, share
        self.take(rate, 0)
        if changed:
            for listener in self._listeners:
                listener()

    def close(self) -> None:
        """Do nothing: there is no timer."""

    def _ask_coordinator(self, count: int) -> None:
        self._delayed += 1
        self._uplink.tell("bytes", count)


class GrantedCalls:
    """Wraps an API call, which starts once the coordinator has granted it."""

    def __init__(self, call: ApiCall, uplink: Uplink) -> None:
        self._call = call
        self._uplink = uplink

    async def __call__(self, request: ApiRequest) -> ApiAnswer:
        """Wait until this call may start, and carry it out. Raises `ProblemError`."""
        await self._uplink.ask("call")
        return await self._call(request)
