"""A `Body` as an aiohttp payload."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import StreamWriter
from aiohttp.payload import Payload

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

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:  # noqa: ARG002  # the base's signature
        """Raise TypeError: a body is bytes, and may be larger than memory."""
        raise TypeError("a body is not text")

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Write all bytes from the beginning."""
        await self.write_with_length(writer, None)

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:  # noqa: ARG002  # the same
        """Write all bytes from the beginning. Their number is the declared length, so none are cut off."""
        self._connection = writer.transport if isinstance(writer, StreamWriter) else None
        async with contextlib.aclosing(self._value.chunks()) as chunks:
            async for chunk in chunks:
                await writer.write(chunk)
                self._progressed(len(chunk))

    def abort(self) -> None:
        """Abort a connection that is being closed, and drop the part of the body in its write buffer.

        An orderly close would wait until the server has read that part, which may take longer than the run.
        """
        if self._connection is not None and self._connection.is_closing():
            self._connection.abort()
