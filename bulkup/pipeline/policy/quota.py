"""The largest number of files and bytes that a run sends (`max_files`, `max_bytes`). Pure.

A file counts when its upload URL is about to be requested, or when it is sent with the URL of an earlier run. So no URL
is requested that is not used, and files that turn out to be unchanged do not count. A file that was admitted is sent to
its end, with all retries.

The bytes are those of the files, counted once. The last file may exceed `max_bytes`: a file that is larger than the
limit could otherwise never be sent.
"""

from __future__ import annotations


class Quota:
    """Admits files until a limit is reached; None for no limit. `reached` names the limit that refused a file."""

    def __init__(self, max_files: int | None = None, max_bytes: int | None = None) -> None:
        self._max_files = max_files
        self._max_bytes = max_bytes
        self._files = self._bytes = 0
        self.reached: str | None = None

    @property
    def is_limited(self) -> bool:
        """Whether there is any limit."""
        return self._max_files is not None or self._max_bytes is not None

    def admits(self, size: int) -> bool:
        """Count a file of `size` bytes, and return whether it may be sent. After a refusal, none is admitted."""
        if self._max_files is not None and self._files >= self._max_files:
            self.reached = self.reached or "max_files"
        elif self._max_bytes is not None and self._bytes >= self._max_bytes:
            self.reached = self.reached or "max_bytes"
        if self.reached is not None:
            return False
        self._files += 1
        self._bytes += size
        return True
