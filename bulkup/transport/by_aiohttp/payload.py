"""A `Body` as an aiohttp payload."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import StreamWriter
from aiohttp.payload import Payload

from bulkup.helpers.send_queue import unacknowledged_bytes
from bulkup.model.bodies import Body


class BodyPayload(Payload):
    """Streams a body of known size, and starts from its beginning each time it is written.

    aiohttp repeats an idempotent request once when an idle connection turns out to be closed. With a plain generator,
    the second try would send the rest of the body, or nothing.
    """

    def __init__(self, body: Body, progressed: Callable[[int], None]) -> None:
        super().__init__(body)
        self._size = body.size
        self._progressed = progressed
        self._connection: asyncio.Transport | None = None
        self._written = False

    @property
    def held_back(self) -> bool:
        """Whether some of the body has not left this machine."""
        connection = self._connection
        if connection is None or not self._written:
            return not self._written
        own = connection.get_extra_info("socket")
        return bool(connection.get_write_buffer_size() or (own is not None and unacknowledged_bytes(own.fileno())))

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:  # noqa: ARG002  # the base's signature
        """Raise TypeError: a body is bytes, and may be larger than memory."""
        raise TypeError("a body is not text")

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Write all bytes from the beginning."""
        await self.write_with_length(writer, None)

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:  # noqa: ARG002  # the same
        """Write all bytes from the beginning. Their number is the declared length, so none are cut off."""
        self._connection, self._written = writer.transport if isinstance(writer, StreamWriter) else None, False
        async with contextlib.aclosing(self._value.chunks()) as chunks:
            async for chunk in chunks:
                if chunk:
                    await writer.write(chunk)
                self._progressed(len(chunk))
        self._written = True

    def abort(self) -> None:
        """Abort the connection, and drop the part of the body in its write buffer."""
        if self._connection is not None:
            self._connection.abort()

    def abort_if_closing(self) -> None:
        """Abort a connection that is being closed.

        An orderly close would wait until the server has read the write buffer, which may take
        longer than the run.
        """
        if self._connection is not None and self._connection.is_closing():
            self._connection.abort()
