"""Decides when a sending process has been silent for too long: it is stopped, or it hangs. Pure."""

from __future__ import annotations


class SilenceTimeout:
    """Sums up the time in which a process should report and does not.

    It counts at most `longest_step` seconds between two checks. After a longer pause this process itself stood still,
    and the reports of the other one are still to be read.
    """

    def __init__(self, timeout: float, longest_step: float, now: float) -> None:
        self._timeout = timeout
        self._longest_step = longest_step
        self._checked = now
        self._silent = 0.0

    def heard(self) -> None:
        """Begin again, because the process reported."""
        self._silent = 0.0

    def is_over(self, now: float, *, expected: bool) -> bool:
        """Return whether the process has been silent for the timeout; `expected` says whether it should report now."""
        step, self._checked = min(now - self._checked, self._longest_step), now
        self._silent = self._silent + step if expected else 0.0
        return self._silent >= self._timeout
