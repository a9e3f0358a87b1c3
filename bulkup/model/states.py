"""The states of a file in the journal (docs/design.md section 6)."""

from __future__ import annotations

import enum


class FileState(enum.StrEnum):
    """Where a file stands; the states of docs/design.md section 6. The last six are terminal for a run."""

    PENDING = "pending"  # known, and no call about it is under way
    ASKED = "asked"  # an intent to ask for a ticket is on disk, the answer is not
    TICKETED = "ticketed"  # the ticket is on disk, no byte was sent before that
    STORED = "stored"  # storage's receipt is on disk, the confirm call is still to come
    UPLOADED = "uploaded"
    UNVERIFIED = "unverified"  # sent and accepted, but storage's answer proves nothing
    FAILED = "failed"
    REJECTED = "rejected"  # the service does not take such a file
    CHANGED = "changed"  # it changed or vanished while it was being read
    UNREADABLE = "unreadable"


DONE = frozenset({FileState.UPLOADED, FileState.UNVERIFIED})
