"""Messages between the processes: plain values in frames, each with its length in front. Pure.

`marshal` is the fastest format for plain values. Both processes run the same interpreter, which it requires, and it
reads values without running code. Frames hold secrets in the clear, so they are never logged.
"""

from __future__ import annotations

import marshal
import struct
from collections.abc import Iterator
from typing import Any

_LENGTH = struct.Struct("<I")


def frame(message: Any) -> bytes:
    """Encode a message of plain values: tuples, lists, dicts, text, bytes, numbers, None."""
    body = marshal.dumps(message)
    return _LENGTH.pack(len(body)) + body


class Frames:
    """Decodes messages from a stream that arrives in arbitrary chunks."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Any]:
        """Take the next bytes, and yield the messages that they complete."""
        self._buffer += data
        start = 0
        while (body := start + _LENGTH.size) <= len(self._buffer):
            end = body + _LENGTH.unpack_from(self._buffer, start)[0]
            if end > len(self._buffer):
                break
            with memoryview(self._buffer) as view:
                message = marshal.loads(view[body:end])  # noqa: S302  # written by a process of our own
            start = end
            yield message
        del self._buffer[:start]
