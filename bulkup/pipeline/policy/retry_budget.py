"""The retry budget of a host: while most of its requests fail, retries come at even distances. Pure."""

from __future__ import annotations

from bulkup.helpers.quick_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class RetryBudgetOptions:
    """The size of a retry budget, and the tokens that it gains.

    With 0.7 tokens per answer, a host that fails three of ten requests delays no retry.
    """

    size: float = 100.0
    per_answer: float = 0.7
    per_second: float = 5.0


class RetryBudget:
    """A token bucket of retries: answered requests and elapsed time add tokens.

    When the bucket is empty, `retry_at` returns a later time.
    """

    def __init__(self, options: RetryBudgetOptions) -> None:
        self._options = options
        self._tokens = options.size
        self._counted_at: float | None = None

    def earn(self) -> None:
        """Add the tokens of one answer."""
        if self._tokens < self._options.size:
            self._tokens = min(self._options.size, self._tokens + self._options.per_answer)

    def retry_at(self, wanted: float, now: float) -> float:
        """Take a token for a retry; return the time at which it may begin: `wanted` or later."""
        size, per_second = self._options.size, self._options.per_second
        passed = 0.0 if self._counted_at is None else max(0.0, now - self._counted_at)
        self._counted_at = now
        self._tokens = min(size, self._tokens + passed * per_second) - 1
        return max(wanted, now - self._tokens / per_second) if self._tokens < 0 else wanted
