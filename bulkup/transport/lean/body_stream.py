"""A body that is not in memory, piece by piece and no faster than it goes."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from time import monotonic

import anyio

from bulkup.model.bodies import Body, SendfileBody
from bulkup.transport.lean.connection import Connection
from bulkup.transport.lean.sendfile import send_ranges
from bulkup.transport.progress_timeout import progress_timeout
from bulkup.transport.sender import OnBytes


class Progress:
    """Tells of bytes as they go, of those sent again only once."""

    def __init__(self, on_bytes: OnBytes) -> None:
        self._on_bytes = on_bytes
        self._told = 0
        self.sent = 0

    def begin(self) -> None:
        """A body begins."""
        self.sent = 0

    def add(self, count: int) -> None:
        """So many bytes more of it have gone."""
        self.sent += count
        if self.sent > self._told:
            new, self._told = self.sent - self._told, self.sent
            self._on_bytes(new)


async def send_body(connection: Connection, body: Body, progress: Progress, idle_timeout: float) -> None:
    """Write all of a body, or as much of it as is wanted: an answer that comes before its end ends it at once.

    Raises what the body raises.
    """
    progress.begin()
    with anyio.CancelScope() as scope:
        connection.stop = scope.cancel
        try:
            async with contextlib.aclosing(_sent(connection, body)) as counts:
                async for count in counts:
                    progress.add(count)
                    connection.deadline = monotonic() + progress_timeout(idle_timeout, progress.sent)
            connection.sending = False
        finally:
            connection.stop = None


def _sent(connection: Connection, body: Body) -> AsyncGenerator[int, None]:
    """Send a body, and yield how many bytes went, each time some did."""
    if connection.tls is None and isinstance(body, SendfileBody):
        return send_ranges(connection, body)
    return _write_chunks(connection, body)


async def _write_chunks(connection: Connection, body: Body) -> AsyncGenerator[int, None]:
    async with contextlib.aclosing(body.chunks()) as chunks:
        async for chunk in chunks:
            await connection.wanted()
            connection.write(chunk)
            await connection.room()
            yield len(chunk)
