"""How long a body may show no progress. Pure.

What went out may stand in the buffers of both systems, where no progress shows; a slow server has to have the time to
read it.
"""

from __future__ import annotations

BUFFERED = 8 * 1024**2  # bytes
SLOWEST = 64 * 1024  # bytes a second


def progress_timeout(idle_timeout: float, sent: int) -> float:
    """Return how many seconds may pass until the next sign of progress, once so many bytes of a body went out."""
    return idle_timeout + min(sent, BUFFERED) / SLOWEST
