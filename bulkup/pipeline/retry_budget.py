"""How many retries a host is asked to bear: a token bucket, so that retries stay a share of what succeeds.

Without one, every file of a run that meets a failing host is tried again at the same time, and again: a storm that
keeps the host down. Pure: times are monotonic seconds.
"""

from __future__ import annotations

_MOST = 100.0
_PER_ANSWER = 0.7  # what fails one time in three costs half a retry for each success: that is not to be slowed down
_PER_SECOND = 5.0


class RetryBudget:
    """Every answer earns a part of a retry, and so does time; who comes when nothing is left waits for his turn."""

    def __init__(self) -> None:
        self._tokens = _MOST
        self._counted_at: float | None = None

    def earn(self) -> None:
        """Note that the host answered."""
        self._tokens = min(_MOST, self._tokens + _PER_ANSWER)

    def retry_at(self, wanted: float, now: float) -> float:
        """Take a retry that is wanted at a time, and return when it may be: then, or later."""
        passed = 0.0 if self._counted_at is None else max(0.0, now - self._counted_at)
        self._counted_at = now
        self._tokens = min(_MOST, self._tokens + passed * _PER_SECOND) - 1
        return max(wanted, now - self._tokens / _PER_SECOND) if self._tokens < 0 else wanted
