"""The reason why an attempt or a call failed, as a value."""

from __future__ import annotations

import enum

from bulkup.helpers.quick_dataclass import dataclass
from bulkup.helpers.short_text import shortened

# Characters of a message. Texts of another party are cut before, where a message quotes them, so that its end is kept.
MESSAGE_LIMIT = 2000


class ProblemKind(enum.Enum):
    """The kinds of problems; `bulkup.pipeline.policy.retry` decides the next step for each kind."""

    TRANSIENT = "transient"  # the same request may succeed later
    UNREACHABLE = "unreachable"  # no connection, or an API's 502, 503 or 504; it costs no try
    THROTTLED = "throttled"  # the other side asked to slow down; it costs no try
    EXPIRED = "expired"  # the ticket is not valid any more; a new one is needed
    GONE = "gone"  # storage does not know the upload that this part belongs to any more: it begins anew
    REFUSED = "refused"  # storage refused for an unknown reason: one new ticket, then final
    MISMATCH = "mismatch"  # storage's bytes differ from those read: the file is read once more, then final
    REJECTED = "rejected"  # this file, or one of this group, will never be accepted
    FAILED = "failed"  # final for this file, without a fault in the file
    CHANGED = "changed"
    UNREADABLE = "unreadable"
    UNAUTHORIZED = "unauthorized"  # the credentials are refused: the run ends
    UNUSABLE = "unusable"  # the service's answers cannot be used: the run ends
    MACHINE = "machine"  # this machine failed (no descriptors, disk full): the run ends


# Problems that cost a file or a call time, and no tries.
COSTS_TIME = frozenset({ProblemKind.THROTTLED, ProblemKind.UNREACHABLE})
# Problems of a host: every file that goes there meets them.
OF_THE_HOST = frozenset({ProblemKind.TRANSIENT, *COSTS_TIME})


@dataclass(frozen=True, slots=True)
class Problem:
    """The reason why an attempt or a call failed. `message` is for people and contains no secrets.

    A longer message than `MESSAGE_LIMIT` is cut. `retry_after` is in seconds from the answer. `maybe_created` says that
    the service may have created remote ids that no answer named. `unanswered` says that the host itself did not answer:
    it was silent, or another party answered, such as a gateway.
    """

    kind: ProblemKind
    message: str
    retry_after: float | None = None
    maybe_created: bool = False
    unanswered: bool = False

    def __post_init__(self) -> None:
        if len(self.message) > MESSAGE_LIMIT:
            object.__setattr__(self, "message", shortened(self.message, MESSAGE_LIMIT))


class ProblemError(Exception):
    """Raised by providers and transport, with a `Problem`."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem
