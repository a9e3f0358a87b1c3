"""The object that Dask keeps on a worker: an actor whose methods the coordinator calls through the scheduler.

Its task has no arguments, so nothing of the run enters Dask's graph, its keys or its dashboard. All that a run needs
comes in the bodies of calls. When the coordinator's client is gone, Dask forgets the actor, and its session ends.
"""

from __future__ import annotations

import asyncio
import platform
import socket
from collections.abc import Mapping
from importlib import metadata
from typing import Any

from bulkup._version import __version__
from bulkup.cluster.sealed_body import SealedBody
from bulkup.cluster.session_setup import SessionSetup
from bulkup.cluster.source_probe import look_at
from bulkup.cluster.worker_session import WorkerSession
from bulkup.errors import BulkupError
from bulkup.helpers.clock import SystemClock

# The sessions of this process. A worker that is asked to begin a session ends an earlier one with the same journal.
_sessions: dict[tuple[str, str], WorkerSession] = {}


class SessionActor:
    """The entrance to a session. Its methods run in the event loop of the Dask worker."""

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        """`environ` has the variables of this worker, by default those of the process."""
        self._environ = environ
        self._session: WorkerSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def __del__(self) -> None:
        session, loop = self._session, self._loop
        if session is not None and loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(session.abandon)

    async def hello(self) -> dict[str, Any]:
        """Return the versions of this worker, its clock, and its host."""
        return {
            "bulkup": __version__,
            "python": platform.python_version(),
            "distributed": metadata.version("distributed"),
            "now": SystemClock().now(),
            "host": socket.gethostname(),
        }

    async def probe(self, body: SealedBody) -> SealedBody:
        """Return a file of a source as this worker sees it."""
        seen = await asyncio.to_thread(look_at, *body.value())
        identity = None if seen.identity is None else tuple(seen.identity)
        return SealedBody.of((seen.error, identity, seen.digest))

    async def begin(self, body: SealedBody) -> tuple[int, str, str] | None:
        """Begin the session. Return the exit code, message and hint of an error, None for none."""
        self._loop = asyncio.get_running_loop()
        session = WorkerSession(SessionSetup.opened(body), environ=self._environ)
        earlier = _sessions.get(session.key)
        if earlier is not None:
            earlier.abandon()
            await earlier.ended()
        try:
            await session.start()
        except BulkupError as error:
            return int(error.exit_code), error.message, error.hint
        self._session = _sessions[session.key] = session
        return None

    async def push(self, number: int, body: SealedBody) -> None:
        """Take messages of the coordinator."""
        assert self._session is not None
        self._session.push(number, body.value())

    async def pull(self, number: int, wait: float, linger: float) -> SealedBody:
        """Return messages for the coordinator."""
        assert self._session is not None
        return await self._session.pull(number, wait, linger)

    async def end(self) -> None:
        """End the session: the coordinator wants nothing more of it."""
        session = self._session
        if session is not None:
            session.abandon()
            await session.ended()
            if _sessions.get(session.key) is session:
                del _sessions[session.key]
