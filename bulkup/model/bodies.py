"""Request bodies that workers pass to transport."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol, runtime_checkable


class Body(Protocol):
    """The bytes that a worker sends. A repeated request starts again from the first byte."""

    @property
    def size(self) -> int:
        """The exact number of bytes, known before the first one is sent."""
        ...

    @property
    def data(self) -> bytes | bytearray | None:
        """All bytes if they are in memory, otherwise None: then `chunks` yields them."""
        ...

    def chunks(self) -> AsyncGenerator[memoryview, None]:
        """Yield all bytes from the beginning. An exception ends the request, and is stored in `failure`.

        An empty piece says that the body waits on purpose.
        """
        ...

    @property
    def failure(self) -> Exception | None:
        """The exception that ended `chunks` early, or None."""
        ...


class SendfileSource(Protocol):
    """An open file whose descriptor threads may use. Both methods raise ValueError if the file is closed."""

    def held(self) -> AbstractContextManager[int]:
        """Return a context with the descriptor, which stays open in it."""
        ...

    def read_at(self, start: int, size: int) -> bytes:
        """Return up to `size` bytes from `start` on. Raises `ProblemError` if the file is shorter now."""
        ...


class FileRange(NamedTuple):
    """The `size` bytes of an open file that begin at `start`."""

    file: SendfileSource
    start: int
    size: int


@runtime_checkable
class SendfileBody(Body, Protocol):
    """A body that the system can also copy from an open file (`sendfile`), without reading it into this process."""

    def ranges(self) -> AsyncGenerator[FileRange, None]:
        """Yield the file ranges of all bytes, from the beginning, instead of `chunks`.

        The caller takes all ranges before the request counts as sent. A range is valid until the next one is requested.
        An empty range says that the body waits on purpose.
        """
        ...
