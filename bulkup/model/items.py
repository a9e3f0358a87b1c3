"""A file on its way through the pipeline, and its outcome.

    scanner --Item--> batcher --Ticketed--> ready --> workers --Stored--> closer --Outcome--> recorder

The types say what a file has: an `Item` may lack everything, a `Ticketed` has a ticket, a `Stored` a receipt as well.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any, NamedTuple

from bulkup.helpers.quick_dataclass import dataclass
from bulkup.model.files import Digest, FoundFile, Place
from bulkup.model.history import FileHistory
from bulkup.model.problems import Problem, ProblemKind
from bulkup.model.states import FileState
from bulkup.model.tickets import PartPlan, PartsSent, Receipt, SentPart, Ticket


@dataclass(slots=True, eq=False)
class Item:
    """One file on its way. Exactly one stage owns it at a time, and none after the recorder settled it.

    `ticket` is the newest one, which may be of an earlier run and no longer good. `sent` are the parts sent with it.
    `known_digest` is the digest that an earlier run recorded, `known_at` the source number and path of that record, and
    `expired` says that the service no longer keeps that upload. `parts` are parts that an earlier run sent with the
    ticket. `part` is set for an item that is only a part of a file. The scanner found nothing in the service's rules
    against `accepted`: while that is the file, they need not be asked again. `admitted` says that the run has counted
    the file for `max_files` and `max_bytes`.
    """

    file: FoundFile
    ticket: Ticket | None = None
    digest: Digest | None = None
    receipt: Receipt | None = None
    history: FileHistory = field(default_factory=FileHistory)
    known_digest: Digest | None = None
    known_at: tuple[int, bytes] | None = None
    expired: bool = False
    place: Place | None = None
    sent: PartsSent | None = None
    parts: tuple[SentPart, ...] = ()
    part: Part | None = None
    accepted: FoundFile | None = None
    admitted: bool = False

    @property
    def size(self) -> int:
        """The number of bytes that an attempt sends."""
        return self.file.identity.size if self.part is None else self.part.end - self.part.start


@dataclass(slots=True, eq=False)
class PartUpload:
    """The upload of a file whose parts are sent as items of their own.

    `left` are the numbers of parts that no ticket was requested for, `out` counts those that are on their way. `ended`
    says that no more of them are needed in this run, `kept` that the next run continues with those that were sent.
    `begun` is the monotonic time at which this run began with it.
    """

    item: Item
    ticket: Ticket
    left: deque[int]
    sent: dict[int, SentPart]
    out: int = 0
    ended: bool = False
    kept: bool = False
    begun: float = 0.0

    @property
    def plan(self) -> PartPlan:
        """The plan of the file's ticket."""
        assert self.ticket.parts is not None
        return self.ticket.parts

    @property
    def has_all(self) -> bool:
        """Whether storage has all parts."""
        return len(self.sent) == self.plan.count

    @property
    def bytes_sent(self) -> int:
        """The bytes of the parts that storage has."""
        return sum(part.end - part.start for part in map(self.part, self.sent))

    def part(self, number: int) -> Part:
        """Return a part of the file by its number."""
        start = (number - 1) * self.plan.size
        return Part(self, number, start, min(start + self.plan.size, self.item.file.identity.size))


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One part of a file: its number from 1, and its range in bytes, `start` included and `end` not."""

    upload: PartUpload
    number: int
    start: int
    end: int


@dataclass(slots=True, eq=False)
class Group:
    """The files of one presign call, from the intent to ask until the last of them is settled.

    `number` is that of the group's row in the journal, which sets it when it records the intent.
    """

    items: Sequence[Item]
    number: int = 0


class Ticketed(NamedTuple):
    """Batcher to ready and workers: a file with a ticket that may be used.

    Times are in monotonic seconds. From `renew_at` on the ticket must not be used any more; None for never. `asked_at`
    is the time of its request, None for a ticket of an earlier run.
    """

    item: Item
    ticket: Ticket
    renew_at: float | None = None
    asked_at: float | None = None


class Stored(NamedTuple):
    """Workers to closer: a file that storage has taken. `ticket` names it in the closing call."""

    item: Item
    ticket: Ticket
    receipt: Receipt


class Outcome(NamedTuple):
    """Any stage to recorder: the terminal state of an item in this run.

    `state` None means that the run ends before the item: it is given back, and the next run continues with it. `remote`
    is the last answer of the service, for the manifest. `unchanged` marks a file that was hashed again and found to be
    the one that an earlier run uploaded. `on_disk` says that its row was written already, `by_service` that the service
    rejected the file when it was asked, and `counted` that the recorder has counted the failure. `unsupported` is that
    of the file's rejection. `already_there` says that the service had the bytes before they were sent.
    """

    item: Item
    state: FileState | None
    problem: Problem | None = None
    remote: Mapping[str, Any] | None = None
    unchanged: bool = False
    on_disk: bool = False
    by_service: bool = False
    counted: bool = False
    unsupported: bool = False
    already_there: bool = False

    @property
    def unconfirmed(self) -> bool:
        """Return whether the bytes are stored and only the closing call failed: the next run makes it."""
        kind = self.problem.kind if self.problem is not None else None
        return self.item.receipt is not None and kind in (ProblemKind.TRANSIENT, ProblemKind.THROTTLED)


@dataclass(frozen=True, slots=True)
class Result:
    """Recorder to the user: one settled file, as the library returns it and as `--json` prints it.

    `checksum` is the digest with the name of its algorithm, such as `sha256:e3b0...`. `md5` has the hex digits if it is
    an MD5. `already_there` says that the service had the bytes, so nothing was sent.
    """

    source: str
    path: bytes
    status: FileState
    size: int
    md5: str | None
    remote_id: str | None
    attempts: int
    error: str | None
    unchanged: bool = False
    checksum: str | None = None
    already_there: bool = False
