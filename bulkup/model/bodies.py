"""Request bodies that workers hand to transport."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol, runtime_checkable


class Body(Protocol):
    """What a worker sends. It can be started anew: a repeated request never continues half-way."""

    @property
    def size(self) -> int:
        """The exact number of bytes, known before the first is sent."""
        ...

    @property
    def data(self) -> bytes | None:
        """All the bytes where they are in memory, None where `chunks` has to be asked for them."""
        ...

    def chunks(self) -> AsyncGenerator[memoryview, None]:
        """Yield all bytes from the beginning. An error raised here ends the request, and `failure` then tells why."""
        ...

    @property
    def failure(self) -> Exception | None:
        """The error that ended `chunks` early, None when it did not."""
        ...


class SendfileSource(Protocol):
    """An open file whose descriptor is lent to threads. Both raise ValueError where the file is closed."""

    def held(self) -> AbstractContextManager[int]:
        """Lend the descriptor, which stays open until it is given back."""
        ...

    def read_at(self, start: int, size: int) -> bytes:
        """Return up to `size` bytes from `start` on. Raises `ProblemError` where there are none, or no more."""
        ...


class FileRange(NamedTuple):
    """`size` bytes of an open file, from `start` on."""

    file: SendfileSource
    start: int
    size: int


@runtime_checkable
class SendfileBody(Body, Protocol):
    """A body whose bytes may also be copied from an open file by the system (`sendfile`), unseen by this process."""

    def ranges(self) -> AsyncGenerator[FileRange, None]:
        """Yield where all bytes are, from the beginning, in place of `chunks`; exhausted before the request counts as
        sent. The ranges are good until the next one is asked for.
        """
        ...
