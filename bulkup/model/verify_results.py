"""The results of `bulkup verify`: of one file, and of all files together.

Pure.
"""

from __future__ import annotations

import enum
from collections import Counter
from dataclasses import field
from typing import NamedTuple

from bulkup.helpers.quick_dataclass import dataclass
from bulkup.model.disk_states import DiskState


class ContentState(enum.StrEnum):
    """The result of reading a file on disk, and comparing its checksum with the recorded one."""

    SAME = "same"
    DIFFERENT = "different"  # although size and modification time are as recorded: the disk may be failing
    UNKNOWN = "unknown"  # no checksum was recorded
    UNREADABLE = "unreadable"


class StoreState(enum.StrEnum):
    """The result of asking the service or its store for an upload."""

    SAME = "same"
    MISSING = "missing"
    DIFFERENT = "different"
    EXPIRED = "expired"  # missing, and the service deletes uploads after a time that is over
    UNKNOWN = "unknown"  # the service does not tell, or the upload belongs to another account


class StoreAnswer(NamedTuple):
    """The result of asking for one upload."""

    state: StoreState
    reason: str = ""


@dataclass(slots=True)
class VerifiedFile:
    """The result for one file. `content` and `store` are None where they were not compared.

    `reason` describes the first difference.
    """

    source: bytes
    path: bytes
    provider: str
    remote_id: str | None = None
    disk: DiskState = DiskState.SAME
    content: ContentState | None = None
    store: StoreState | None = None
    reason: str = ""

    def note(self, reason: str) -> None:
        """Keep a reason unless there is one already."""
        self.reason = self.reason or reason

    @property
    def lost(self) -> bool:
        """Whether the upload or the file is damaged or missing, so that only one good copy may be left."""
        return self.content is ContentState.DIFFERENT or self.store in (StoreState.MISSING, StoreState.DIFFERENT)

    @property
    def differs(self) -> bool:
        """Whether the file is not as it was uploaded, on disk or at the service."""
        local = self.disk in (DiskState.CHANGED, DiskState.DELETED, DiskState.UNREADABLE)
        return self.lost or local or self.content is ContentState.UNREADABLE


@dataclass(slots=True)
class VerifyCounts:
    """The numbers of files by their results. `lost` and `differing` are those of the properties of `VerifiedFile`.

    `not_uploaded` counts files in the journal that no run has uploaded; they are not compared.
    """

    files: int = 0
    lost: int = 0
    differing: int = 0
    not_uploaded: int = 0
    disk: Counter[DiskState] = field(default_factory=Counter)
    content: Counter[ContentState] = field(default_factory=Counter)
    store: Counter[StoreState] = field(default_factory=Counter)

    def add(self, file: VerifiedFile) -> None:
        """Count a file."""
        self.files += 1
        self.lost += file.lost
        self.differing += file.differs
        self.disk[file.disk] += 1
        if file.content is not None:
            self.content[file.content] += 1
        if file.store is not None:
            self.store[file.store] += 1

    def merge(self, other: VerifyCounts) -> None:
        """Add the figures of other files."""
        self.files += other.files
        self.lost += other.lost
        self.differing += other.differing
        self.disk += other.disk
        self.content += other.content
        self.store += other.store

    def add_same(self, number: int) -> None:
        """Count files that are as they were uploaded, of which only the disk was compared."""
        self.files += number
        self.disk[DiskState.SAME] += number
