"""A `Body` in the form that the HTTP client sends."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import StreamWriter
from aiohttp.payload import Payload

from bulkup.model.bodies import Body


class BodyPayload(Payload):
    """Streams a body of known size; written again, it starts again.

    The client repeats an idempotent request once by itself when a kept-alive connection turns out to be dead. With a
    plain generator that second try would send the rest of a body, or nothing.
    """

    def __init__(self, body: Body, progressed: Callable[[int], None]) -> None:
        super().__init__(body)
        self._size = body.size
        self._progressed = progressed
        self._connection: asyncio.Transport | None = None

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:  # noqa: ARG002  # the base's signature
        """Refuse: a body is bytes, and may be larger than memory."""
        raise TypeError("a body is not text")

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Write all bytes from the beginning."""
        await self.write_with_length(writer, None)

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:  # noqa: ARG002  # the same
        """Write all bytes from the beginning; their number is the declared length, so there is nothing to cut."""
        self._connection = writer.transport if isinstance(writer, StreamWriter) else None
        async with contextlib.aclosing(self._value.chunks()) as chunks:
            async for chunk in chunks:
                await writer.write(chunk)
                self._progressed(len(chunk))

    def abort(self) -> None:
        """Drop what a connection that is being closed still holds of the body.

        Closed in order it would stay open for as long as the server does not read, and longer than the run.
        """
        if self._connection is not None and self._connection.is_closing():
            self._connection.abort()
