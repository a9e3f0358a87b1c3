"""File descriptors: the errors when too few are left, and closing descriptors that other threads use.

When a task is cancelled, its thread continues. If the task's descriptor were closed immediately, its number could
already belong to another file or socket when the thread uses it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections.abc import Callable, Iterator

# The system's errors if no descriptor is left, and texts for messages about them.
NO_DESCRIPTORS = frozenset({errno.EMFILE, errno.ENFILE})
OUT_OF_DESCRIPTORS = "out of file descriptors"
DESCRIPTORS_HINT = "raise `ulimit -n` or lower --concurrency"


def require_descriptors(count: int) -> None:
    """Raise OSError if fewer than `count` descriptors are left, which must be even. libuv aborts the process then."""
    opened: list[int] = []
    try:
        while len(opened) < count:
            opened += os.pipe()
    finally:
        for fd in opened:
            os.close(fd)


class DeferredClose:
    """Delays `close` until no thread uses the descriptor."""

    def __init__(self, close: Callable[[], None]) -> None:
        self._close = close
        self._state = threading.Lock()  # not held during a use: the event loop must not wait for a disk when it closes
        self._users = 0
        self._closing = False

    @contextlib.contextmanager
    def in_use(self) -> Iterator[None]:
        """Keep the descriptor open in the context. Raises ValueError after `close`, as reading from a file does."""
        with self._state:
            if self._closing:
                raise ValueError("I/O operation on closed file")
            self._users += 1
        try:
            yield
        finally:
            with self._state:
                self._users -= 1
                closed = self.closed
            if closed:
                self._close()

    @property
    def closed(self) -> bool:
        """Whether `close` was called and no thread uses the descriptor."""
        return self._closing and not self._users

    def close(self) -> None:
        """Close the descriptor now, or when its last use ends. A second call has the same effect."""
        with self._state:
            self._closing = True
            closed = self.closed
        if closed:
            self._close()
