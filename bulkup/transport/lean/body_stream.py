"""Sends a body that is not in memory: piece by piece, and only as fast as the connection takes it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from time import monotonic

import anyio

from bulkup.model.bodies import Body, SendfileBody
from bulkup.transport.lean.connection import Connection
from bulkup.transport.lean.sendfile import send_ranges
from bulkup.transport.progress_timeout import ProgressTimeout
from bulkup.transport.sender import OnBytes


class BodyProgress:
    """Reports the sent bytes of a body. Bytes that are sent again are reported once."""

    def __init__(self, on_bytes: OnBytes) -> None:
        self._on_bytes = on_bytes
        self._reported = 0
        self.sent = 0

    def restart(self) -> None:
        """Start from the beginning of the body."""
        self.sent = 0

    def add(self, count: int) -> None:
        """Note `count` more bytes of the body."""
        self.sent += count
        if self.sent > self._reported:
            new, self._reported = self.sent - self._reported, self.sent
            self._on_bytes(new)


async def send_body(
    connection: Connection, body: Body, progress: BodyProgress, timeout: ProgressTimeout, sendfile_step: int
) -> None:
    """Send the body, and stop early when the head of an answer arrives before its end.

    With sendfile, progress is reported every `sendfile_step` bytes.

    Raises the body's own errors.
    """
    progress.restart()
    with anyio.CancelScope() as scope:
        connection.cancel_body = scope.cancel
        try:
            async with contextlib.aclosing(_send_pieces(connection, body, sendfile_step)) as counts:
                async for count in counts:
                    progress.add(count)
                    connection.deadline = monotonic() + timeout.after(progress.sent)
            connection.sending_body = False
        finally:
            connection.cancel_body = None


def _send_pieces(connection: Connection, body: Body, sendfile_step: int) -> AsyncGenerator[int, None]:
    """Send the body, and yield the size of each piece that was sent."""
    if connection.tls is None and isinstance(body, SendfileBody):
        return send_ranges(connection, body, sendfile_step)
    return _write_chunks(connection, body)


async def _write_chunks(connection: Connection, body: Body) -> AsyncGenerator[int, None]:
    async with contextlib.aclosing(body.chunks()) as chunks:
        async for chunk in chunks:
            await connection.checkpoint_if_answered()
            if chunk:
                connection.write(chunk)
            await connection.drain()
            yield len(chunk)
