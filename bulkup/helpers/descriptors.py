"""File descriptors: what to say when none is left, and those that threads use, of which none is closed under one.

A task that is cancelled leaves its thread behind. Closed then, the descriptor's number could belong to another file or
socket by the time the thread gets to use it.
"""

from __future__ import annotations

import contextlib
import errno
import threading
from collections.abc import Callable, Iterator

# The system's errors where there are no more, what that is called, and what helps.
NO_DESCRIPTORS = frozenset({errno.EMFILE, errno.ENFILE})
OUT_OF_DESCRIPTORS = "out of file descriptors"
DESCRIPTORS_HINT = "raise `ulimit -n` or lower --concurrency"


class DeferredClose:
    """Puts off a `close` until nobody is using what it closes."""

    def __init__(self, close: Callable[[], None]) -> None:
        self._close = close
        self._state = threading.Lock()  # never held over a use: the event loop closes, and must not wait for a disk
        self._users = 0
        self._left = False

    @contextlib.contextmanager
    def used(self) -> Iterator[None]:
        """Keep it open meanwhile. Raises ValueError where it was to be closed before, as reading from a file does."""
        with self._state:
            if self._left:
                raise ValueError("I/O operation on closed file")
            self._users += 1
        try:
            yield
        finally:
            with self._state:
                self._users -= 1
                over = self.over
            if over:
                self._close()

    @property
    def over(self) -> bool:
        """Whether it was to be closed and nobody uses it."""
        return self._left and not self._users

    def close(self) -> None:
        """Close it, at once or when the last one who uses it is done; a second time does what the first one did."""
        with self._state:
            self._left = True
            over = self.over
        if over:
            self._close()
