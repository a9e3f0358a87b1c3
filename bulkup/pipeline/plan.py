"""What the journal means for a file as it is now on disk (DESIGN sections 5 and 6). Pure."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Literal

from bulkup.journal import Known
from bulkup.messages import DONE, FileState, Identity, Place

IdentityMode = Literal["strict", "default", "content"]


@dataclass(frozen=True, slots=True)
class Trust:
    """How far the record of an upload is believed, at the Unix time `now`.

    With `reupload_expired`, what the service keeps no longer counts as not uploaded.
    """

    now: float
    identity: IdentityMode = "default"
    reupload_expired: bool = False


class Plan(enum.Enum):
    """What is to be done with a file."""

    SETTLED = "settled"  # an earlier run uploaded it as it is now
    RECHECK = "recheck"  # it may be what was uploaded: its digest decides
    CONFIRM = "confirm"  # its bytes are there, the closing call is missing
    RESUME = "resume"  # it has a ticket that may still be good
    KNOWN_DIGEST = "known digest"  # it was hashed ahead already
    UPLOAD = "upload"


def plan(
    known: Known | None, identity: Identity, mode: IdentityMode, place: Place | None = None, *, gone: bool = False
) -> Plan:
    """Return what is to be done with a file of which the journal knows `known`, and which is to stand at `place`.

    What was sent to another place than that is of no use, and so is what is `gone` from the service; a place of None
    makes no difference.
    """
    if known is None:
        return Plan.UPLOAD
    moved = place is not None and known.place != place.name
    if known.state in DONE and not moved and not gone:
        return _of_uploaded(known, identity, mode)
    if known.state is FileState.PENDING and known.identity == identity and known.digest is not None:
        return Plan.KNOWN_DIGEST
    if known.identity != identity or moved:
        return Plan.UPLOAD
    if known.state is FileState.STORED and known.receipt is not None and known.ticket is not None:
        return Plan.CONFIRM
    if known.state is FileState.TICKETED and known.ticket is not None:
        return Plan.RESUME
    return Plan.UPLOAD


def _of_uploaded(known: Known, identity: Identity, mode: IdentityMode) -> Plan:
    """Return the plan for an uploaded file.

    `default`: size and modification time are believed while all else is the same too; where only the rest differs (the
    inode and device of a remount, the ctime of a chmod) the content decides. `strict`: any difference uploads again.
    `content`: the content always decides. Content can only be compared where a digest was recorded; a file that was
    sent without one is uploaded again.
    """
    may_be_the_same = known.digest is not None and known.identity.size == identity.size
    if mode == "content":
        return Plan.RECHECK if may_be_the_same else Plan.UPLOAD
    if known.identity == identity:
        return Plan.SETTLED
    may_be_the_same = may_be_the_same and known.identity.mtime_ns == identity.mtime_ns
    return Plan.RECHECK if may_be_the_same and mode == "default" else Plan.UPLOAD
