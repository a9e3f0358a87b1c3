"""How the coordinator reaches the sessions on workers: by Dask (`dask_fleet`), and in tests within one process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class ChannelError(Exception):
    """A call did not reach the worker, or its answer was lost. The same call may succeed later."""


class WorkerGoneError(Exception):
    """The worker, or the session on it, has ended. `reason` is for people."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class SchedulerLostError(Exception):
    """The scheduler does not answer."""


class WorkerChannel(Protocol):
    """The session on one worker, as `SessionActor` has it. Calls raise `ChannelError` and `WorkerGoneError`."""

    async def call(self, method: str, *arguments: Any) -> Any:
        """Call a method of the actor, and return its result. It may be repeated."""
        ...

    async def close(self) -> None:
        """Forget the session; it ends by itself where it cannot be reached."""
        ...


class Fleet(Protocol):
    """The workers of a cluster."""

    async def workers(self) -> Mapping[str, str]:
        """Return the name of each worker by its address. Raises `SchedulerLostError`."""
        ...

    async def open(self, address: str, epoch: int) -> WorkerChannel:
        """Create an actor on a worker. Raises `ChannelError`, `WorkerGoneError`, and `UsageError` for a bad worker."""
        ...

    async def reconnect(self) -> None:
        """Connect to the scheduler anew. Raises `SchedulerLostError`."""
        ...
