"""Why an attempt or a call did not succeed, as a value."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class ProblemKind(enum.Enum):
    """What a problem means for what comes next; `bulkup.pipeline.policy.retry` turns it into a decision."""

    TRANSIENT = "transient"  # the same request may succeed later
    UNREACHABLE = "unreachable"  # nothing was reached: it costs time, and no tries
    THROTTLED = "throttled"  # the same, and the other side said when, or asked for less
    EXPIRED = "expired"  # the ticket is no longer good; a new one is needed
    REFUSED = "refused"  # storage refused for a reason we do not know: one new ticket, then final
    MISMATCH = "mismatch"  # what storage holds is not what was read: one fresh read, then final
    REJECTED = "rejected"  # this file, or one of this group, will never be taken
    FAILED = "failed"  # final for this file, and no fault of the file's
    CHANGED = "changed"
    UNREADABLE = "unreadable"
    UNAUTHORIZED = "unauthorized"  # the credentials are refused: the run ends
    UNUSABLE = "unusable"  # the service answers in a way that makes going on pointless: the run ends
    MACHINE = "machine"  # this machine's own fault (out of descriptors, disk full): the run ends


# Problems that cost a file or a call time, and no tries.
COSTS_TIME = frozenset({ProblemKind.THROTTLED, ProblemKind.UNREACHABLE})
# Problems of a host: every file that goes there meets them.
OF_THE_HOST = frozenset({ProblemKind.TRANSIENT, *COSTS_TIME})


@dataclass(frozen=True, slots=True)
class Problem:
    """Why an attempt or a call did not succeed. `message` is for people and free of secrets.

    `retry_after` is in seconds from when the answer came. `maybe_created` says that the service may have created remote
    ids that we never saw.
    """

    kind: ProblemKind
    message: str
    retry_after: float | None = None
    maybe_created: bool = False


class ProblemError(Exception):
    """Carries a `Problem` out of a provider or of transport."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem
