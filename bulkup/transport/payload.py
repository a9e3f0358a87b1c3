"""A `Body` in the form that the HTTP client sends."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from aiohttp.abc import AbstractStreamWriter
from aiohttp.payload import Payload

from bulkup.wire import Body


class BodyPayload(Payload):
    """Streams a body of known size; written again, it starts again.

    The client repeats an idempotent request once by itself when a kept-alive connection turns out to be dead. With a
    plain generator that second try would send the rest of a body, or nothing.
    """

    def __init__(self, body: Body, progressed: Callable[[int], None]) -> None:
        super().__init__(body)
        self._size = body.size
        self._progressed = progressed

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:  # noqa: ARG002  # the base's signature
        """Refuse: a body is bytes, and may be larger than memory."""
        raise TypeError("a body is not text")

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Write all bytes from the beginning."""
        await self.write_with_length(writer, None)

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:  # noqa: ARG002  # the same
        """Write all bytes from the beginning; their number is the declared length, so there is nothing to cut."""
        async with contextlib.aclosing(self._value.chunks()) as chunks:
            async for chunk in chunks:
                await writer.write(chunk)
                self._progressed(len(chunk))
