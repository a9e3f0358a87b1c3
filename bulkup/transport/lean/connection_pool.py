"""All connections of a sender: keeps the idle ones, and closes those that exceed their deadline."""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
from collections.abc import Iterator
from time import monotonic

from bulkup.helpers.lazy_pattern import lazy_pattern
from bulkup.model.http import StorageAnswer
from bulkup.transport.lean.connection import Connection
from bulkup.transport.sender import KEEP_ALIVE

_TIMEOUT = lazy_pattern(r"\btimeout\s*=\s*\"?([0-9]{1,9})", re.IGNORECASE)
_MIN_INTERVAL, _MAX_INTERVAL = 0.02, 1.0  # seconds between two checks of the deadlines


class IdleConnections:
    """The idle connections of one origin, and the TLS session that its next connection can resume."""

    def __init__(self) -> None:
        self.session: ssl.SSLSession | None = None
        self._idle: list[Connection] = []

    def take(self, now: float) -> Connection | None:
        """Return the connection used last, or None."""
        idle = self._idle
        while idle:
            connection = idle.pop()
            if connection.deadline > now:
                return connection
            connection.close()
        return None

    def put(self, connection: Connection, answer: StorageAnswer) -> None:
        """Keep a connection for as long as the server's answer allows."""
        header = answer.headers.get("keep-alive")
        connection.idle_since = now = monotonic()
        connection.deadline = now + (KEEP_ALIVE if header is None else keep_alive_seconds(header))
        self._idle.append(connection)

    def remove(self, connection: Connection) -> None:
        """Remove a connection, if it is here."""
        if connection in self._idle:
            self._idle.remove(connection)


class ConnectionPool:
    """Owns all open connections, to all hosts. One timer checks the deadlines of all of them.

    `most_open` is a bound that only connections in use may exceed.
    """

    def __init__(self, idle_timeout: float, most_open: int) -> None:
        self.idle_timeout = idle_timeout
        self._most_open = most_open
        self._opening = 0
        self._interval = min(max(idle_timeout / 8, _MIN_INTERVAL), _MAX_INTERVAL)
        self._open: set[Connection] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._all_closed: asyncio.Future[None] | None = None

    @contextlib.contextmanager
    def room_for_another(self) -> Iterator[None]:
        """Open a connection in this context. At the bound, the idle connection least recently used is closed first."""
        if len(self._open) + self._opening >= self._most_open:
            self._close_least_recently_used()
        self._opening += 1
        try:
            yield
        finally:
            self._opening -= 1

    def add(self, connection: Connection) -> None:
        """Own a connection."""
        self._open.add(connection)
        if self._timer is None:
            self._schedule_check()

    def discard(self, connection: Connection) -> None:
        """Release a connection whose socket is being closed."""
        self._open.discard(connection)
        if not self._open and self._all_closed is not None and not self._all_closed.done():
            self._all_closed.set_result(None)

    async def close(self) -> None:
        """Close all connections and wait until their sockets are closed."""
        if self._timer is not None:
            self._timer.cancel()
        for connection in tuple(self._open):
            connection.close()
        if self._open:
            self._all_closed = asyncio.get_running_loop().create_future()
            await self._all_closed

    def _close_least_recently_used(self) -> None:
        # Looking through all connections is cheap beside opening one, and the way of a file needs no order then.
        idle = [connection for connection in self._open if connection.is_idle]
        if idle:
            min(idle, key=lambda connection: connection.idle_since).close()

    def _schedule_check(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._interval, self._check_deadlines)

    def _check_deadlines(self) -> None:
        self._timer = None
        now = monotonic()
        for connection in tuple(self._open):
            if connection.deadline < now:
                connection.expire()
        if self._open:
            self._schedule_check()


def keep_alive_seconds(header: str) -> float:
    """Return how long to keep an idle connection, from its Keep-Alive header (RFC 2068 19.7.1).

    It is a little less than the server's time, so that the server does not close the connection during a request.
    """
    found = _TIMEOUT.search(header)
    if found is None:
        return KEEP_ALIVE
    seconds = float(found[1])
    return min(KEEP_ALIVE, max(seconds - 1, seconds / 2))
