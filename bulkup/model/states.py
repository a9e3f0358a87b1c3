"""The states of a file in the journal (docs/design.md section 6).

`bulkup.journal.statements` describes the transitions, the invariants and the recovery after a kill.
"""

from __future__ import annotations

import enum


class FileState(enum.StrEnum):
    """How far a file has got. The last six states are terminal for a run."""

    __hash__ = str.__hash__  # that of enums is written in Python, and sets of states are asked for every file

    PENDING = "pending"  # known, and no call about it is in progress
    ASKED = "asked"  # the intent to ask for a ticket is on disk, the answer is not
    TICKETED = "ticketed"  # the ticket is on disk, and bytes may be sent
    STORED = "stored"  # storage's receipt is on disk, and the closing call may be made
    UPLOADED = "uploaded"
    UNVERIFIED = "unverified"  # accepted by storage, but its answer does not prove the bytes
    FAILED = "failed"
    REJECTED = "rejected"  # the service does not accept this file
    CHANGED = "changed"  # the file changed or vanished while it was read
    UNREADABLE = "unreadable"


DONE = frozenset({FileState.UPLOADED, FileState.UNVERIFIED})
NOT_UPLOADED = (FileState.FAILED, FileState.REJECTED, FileState.CHANGED, FileState.UNREADABLE)  # terminal as well
