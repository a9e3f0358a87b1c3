"""Tickets that are over when they arrive, or that storage calls expired although they are new.

One such ticket may be chance. Many in a row are a fault of the service's answers, and no file is to blame: a clock is
wrong, or leases are too short for any use. Asking again at once creates remote ids without end, so requests are paced,
and the run ends after a number of rounds.

A round is one loss of a ticket that was requested after the round before it was counted. A group whose tickets are all
over is one round, and so are several groups that were requested together. A file that storage takes ends the count.
After it, only a part of the answers may be at fault, such as those of a cache, and more rounds pass until the run ends.

Pure: times are monotonic seconds, passed in.
"""

from __future__ import annotations

import math

from bulkup.pipeline.options import RetryPolicy


class TicketLosses:
    """Counts the rounds in which tickets were lost, since storage last took a file.

    No ticket may be requested before `ask_at`.
    """

    def __init__(self, policy: RetryPolicy) -> None:
        self.rounds = 0
        self.ask_at = -math.inf
        self._policy = policy
        self._counted_at = -math.inf
        self._most = policy.lost_rounds

    @property
    def in_doubt(self) -> bool:
        """Whether the next ticket is likely to be lost as well: then one at a time is requested."""
        return self.rounds > 0

    def worked(self) -> None:
        """Record that storage took a file."""
        self._most = self._policy.lost_rounds_later
        if self.rounds:
            self.rounds = 0
            self.ask_at = -math.inf

    def lost(self, asked_at: float, now: float, chance: float) -> bool:
        """Count a lost ticket that was requested at `asked_at`, and return whether the run must end."""
        if asked_at > self._counted_at:
            pause = min(self._policy.cap, self._policy.base * 2.0 ** min(self.rounds, 32))
            self.rounds += 1
            self.ask_at = now + pause * (1 + chance) / 2
            self._counted_at = now
        return self.rounds >= self._most
