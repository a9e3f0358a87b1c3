"""All connections of a sender: those kept for the next request, and those that have shown no progress for too long."""

from __future__ import annotations

import asyncio
import re
import ssl
from time import monotonic

from bulkup.model.http import StorageAnswer
from bulkup.transport.lean.connection import Connection
from bulkup.transport.sender import EXPIRY

_TIMEOUT = re.compile(r"\btimeout\s*=\s*\"?([0-9]{1,9})", re.IGNORECASE)
_OFTENEST, _SELDOMEST = 0.02, 1.0


class IdleConnections:
    """The connections to one origin that nobody uses, and the TLS session that the next one may go on with."""

    def __init__(self) -> None:
        self.session: ssl.SSLSession | None = None
        self._idle: list[Connection] = []

    def take(self, now: float) -> Connection | None:
        """Return the connection used last, None where there is none."""
        idle = self._idle
        while idle:
            connection = idle.pop()
            if connection.deadline > now:
                return connection
            connection.close()
        return None

    def put(self, connection: Connection, answer: StorageAnswer) -> None:
        """Keep a connection as long as the other side is told to."""
        hint = answer.headers.get("keep-alive")
        connection.deadline = monotonic() + (EXPIRY if hint is None else kept_for(hint))
        self._idle.append(connection)

    def remove(self, connection: Connection) -> None:
        """Forget a connection, if it is here."""
        if connection in self._idle:
            self._idle.remove(connection)


class ConnectionPool:
    """Owns connections from their first moment to their last. One timer looks after all of them."""

    def __init__(self, idle_timeout: float) -> None:
        self.idle_timeout = idle_timeout
        self._every = min(max(idle_timeout / 8, _OFTENEST), _SELDOMEST)
        self._open: set[Connection] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._emptied: asyncio.Future[None] | None = None

    def add(self, connection: Connection) -> None:
        """Own a connection."""
        self._open.add(connection)
        if self._timer is None:
            self._look_later()

    def forget(self, connection: Connection) -> None:
        """Own it no longer: its socket is being closed."""
        self._open.discard(connection)
        if not self._open and self._emptied is not None and not self._emptied.done():
            self._emptied.set_result(None)

    async def close(self) -> None:
        """End all connections and wait until they have ended."""
        if self._timer is not None:
            self._timer.cancel()
        for connection in tuple(self._open):
            connection.close()
        if self._open:
            self._emptied = asyncio.get_running_loop().create_future()
            await self._emptied

    def _look_later(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._every, self._look)

    def _look(self) -> None:
        self._timer = None
        now = monotonic()
        for connection in tuple(self._open):
            if connection.deadline < now:
                connection.expire()
        if self._open:
            self._look_later()


def kept_for(hint: str) -> float:
    """Return for how many seconds a connection is kept, from the header Keep-Alive (RFC 2068 19.7.1).

    A little less than the server keeps it, so that it is not being closed while the next request is on its way.
    """
    found = _TIMEOUT.search(hint)
    if found is None:
        return EXPIRY
    seconds = float(found[1])
    return min(EXPIRY, max(seconds - 1, seconds / 2))
