"""How long a request body may show no progress. Pure.

Bytes that were written may stand in the buffers of both systems, where their progress is invisible. A slow server needs
time to read them.
"""

from __future__ import annotations

from bulkup.helpers.quick_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class ProgressTimeout:
    """The idle timeout, plus time for buffered bytes: at most `buffered` bytes, read at `slowest` bytes a second."""

    idle_timeout: float
    buffered: int
    slowest: int

    def after(self, sent: int) -> float:
        """Return the seconds until the next progress is due, when `sent` bytes of the body were written."""
        return self.idle_timeout + min(sent, self.buffered) / self.slowest
