"""How a file on disk compares with the version that the journal has recorded.

Pure.
"""

from __future__ import annotations

import enum

from bulkup.model.files import Stat


class DiskState(enum.StrEnum):
    """The result of a comparison of a file's `stat` with its row."""

    SAME = "same"
    METADATA = "metadata"  # size and modification time agree; inode, device or change time do not
    CHANGED = "changed"
    DELETED = "deleted"
    REMOVED = "removed"  # by a run, after its upload
    UNREADABLE = "unreadable"


def compared(recorded: Stat, present: Stat) -> DiskState:
    """Return how the `stat` of a file compares with the recorded one."""
    if recorded == present:
        return DiskState.SAME
    return DiskState.METADATA if recorded[:2] == present[:2] else DiskState.CHANGED
