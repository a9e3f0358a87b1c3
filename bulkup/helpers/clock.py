"""Clocks that are passed in, so that tests need not sleep."""

from __future__ import annotations

import datetime as dt
import time
from typing import Protocol


class Clock(Protocol):
    """The two clocks of a run."""

    def now(self) -> float:
        """Return Unix time in seconds, for leases and records."""
        ...

    def monotonic(self) -> float:
        """Return seconds of a clock that is never set, for delays and ages."""
        ...


class SystemClock:
    """The machine's clocks."""

    now = staticmethod(time.time)
    # Since an unspecified time, which may be only seconds ago.
    monotonic = staticmethod(time.monotonic)


def local_clock(seconds: float) -> dt.datetime:
    """Return the local time of this machine at a Unix time, without a zone."""
    return dt.datetime.fromtimestamp(seconds)  # noqa: DTZ006  # people write times of the local clock
