"""Time as a value that is passed in, so that decisions are tested without sleeping."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """The two clocks of a run."""

    def now(self) -> float:
        """Return Unix time in seconds; what leases and records are written in."""
        ...

    def monotonic(self) -> float:
        """Return seconds of a clock that never jumps; what waits and ages are counted in."""
        ...


class SystemClock:
    """The machine's clocks."""

    def now(self) -> float:
        """Return Unix time in seconds."""
        return time.time()

    def monotonic(self) -> float:
        """Return seconds since some fixed point."""
        return time.monotonic()
