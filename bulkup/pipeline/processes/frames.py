"""Messages between the processes: plain values in frames, a length before each. Pure.

`marshal` is for processes of one interpreter, which these are: the fastest way for plain values, and there is no code
in what it reads. Secrets stand in frames as they are; a frame is never printed.
"""

from __future__ import annotations

import marshal
import struct
from collections.abc import Iterator
from typing import Any

_LENGTH = struct.Struct("<I")


def frame(message: Any) -> bytes:
    """Return a message of plain values (tuples, lists, dicts, text, bytes, numbers, None) as it goes out."""
    body = marshal.dumps(message)
    return _LENGTH.pack(len(body)) + body


class Frames:
    """Puts together again what comes in pieces."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Any]:
        """Take the next bytes, and yield the messages that are whole with them."""
        self._buffer += data
        start = 0
        while (body := start + _LENGTH.size) <= len(self._buffer):
            end = body + _LENGTH.unpack_from(self._buffer, start)[0]
            if end > len(self._buffer):
                break
            with memoryview(self._buffer) as view:
                message = marshal.loads(view[body:end])  # noqa: S302  # of a process of our own
            start = end
            yield message
        del self._buffer[:start]
