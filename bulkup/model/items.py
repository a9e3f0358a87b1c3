"""A file on its way through the pipeline, and its outcome.

scanner --FoundFile--> batcher --Item with a Ticket--> workers --Item with a Receipt--> closer --> recorder
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from bulkup.model.files import Digest, FoundFile, Place
from bulkup.model.history import FileHistory
from bulkup.model.problems import Problem, ProblemKind
from bulkup.model.states import FileState
from bulkup.model.tickets import PartsSent, Receipt, Ticket


@dataclass(slots=True, eq=False)
class Item:
    """One file on its way. Exactly one stage owns it at a time, and none after the recorder settled it.

    `renew_at` is the time, in monotonic seconds, from which its ticket must not be used any more. `sent` belongs to the
    ticket. `known_digest` is the digest that an earlier run recorded, `known_at` the source number and path of that
    record, and `expired` says that the service no longer keeps that upload.
    """

    file: FoundFile
    ticket: Ticket | None = None
    digest: Digest | None = None
    receipt: Receipt | None = None
    history: FileHistory = field(default_factory=FileHistory)
    renew_at: float | None = None
    known_digest: Digest | None = None
    known_at: tuple[int, bytes] | None = None
    expired: bool = False
    place: Place | None = None
    sent: PartsSent | None = None


class Outcome(NamedTuple):
    """Any stage to recorder: the terminal state of an item in this run.

    `state` None means that the run ended before the item did: it is given back, and the next run goes on with it.
    `remote` is what the service answered last, for the manifest. `unchanged` marks a file that was hashed again and
    found to be what an earlier run uploaded.
    """

    item: Item
    state: FileState | None
    problem: Problem | None = None
    remote: Mapping[str, Any] | None = None
    unchanged: bool = False

    @property
    def unconfirmed(self) -> bool:
        """Say whether the bytes are there and only the closing call did not come through: the next run makes it."""
        kind = self.problem.kind if self.problem is not None else None
        return self.item.receipt is not None and kind in (ProblemKind.TRANSIENT, ProblemKind.THROTTLED)


@dataclass(frozen=True, slots=True)
class Result:
    """Recorder to the user: one settled file, as the library hands it out and as `--json` prints it."""

    source: str
    path: bytes
    status: FileState
    size: int
    md5: str | None
    remote_id: str | None
    attempts: int
    error: str | None
    unchanged: bool = False
