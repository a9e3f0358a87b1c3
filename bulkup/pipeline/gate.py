"""A pause that holds for every API call of a run: a service that throttles means all of them, not one."""

from __future__ import annotations


class Gate:
    """Open unless a time was set until which it is closed. Times are monotonic seconds, passed in."""

    def __init__(self) -> None:
        self.closed_until = 0.0

    def close(self, until: float) -> None:
        """Keep everybody out until then, or for as long as an earlier word said, whichever is later."""
        self.closed_until = max(self.closed_until, until)

    def is_open(self, now: float) -> bool:
        """Say whether a call may start."""
        return now >= self.closed_until
