"""What the journal tells its readers: plain rows for the manifest, the runs, the orphans and the state of things."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from bulkup.model.states import FileState


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """One file as the journal knows it. `remote` is all that the service answered, without secrets; times are Unix."""

    path: bytes
    source: bytes
    size: int
    md5: str | None
    status: FileState
    provider: str
    remote_id: str | None
    remote: Mapping[str, Any]
    etag: str | None
    attempts: int
    error: str | None
    uploaded_at: float | None
    kept_until: float | None


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run. `ended_at` and `exit_code` are None while it is `running`, or for ever when it was cut off.

    `summary` is the object that the run printed as its last line, None likewise.
    """

    run: str
    started_at: float
    ended_at: float | None
    exit_code: int | None
    provider: str
    base_url: str
    sources: tuple[bytes, ...]
    summary: Mapping[str, Any] | None
    running: bool = False


@dataclass(frozen=True, slots=True)
class OrphanRow:
    """A remote id that nobody needs: one that never got its bytes, or one whose file was uploaded again since.

    `remote_id` None stands for up to `count` ids that we never saw, because a call was cut off before its answer.
    `superseded_by` is the id that the file has now, and `kept_until` when the service deletes what it had under the old
    one, in Unix time, None for never.
    """

    remote_id: str | None
    count: int
    provider: str
    source: bytes | None
    path: bytes | None
    reason: str
    created_at: float
    run: str
    superseded_by: str | None = None
    kept_until: float | None = None

    @property
    def kind(self) -> Literal["unused", "unknown", "superseded"]:
        """What it is: an id without bytes, ids that may be there, or that of an earlier upload."""
        if self.superseded_by is not None:
            return "superseded"
        return "unknown" if self.remote_id is None else "unused"


@dataclass(frozen=True, slots=True)
class JournalStatus:
    """The journal at a glance: how many files and bytes stand in each state, and the newest run.

    `expired` counts uploads that the service keeps no longer.
    """

    journal: str
    running: bool
    files: Mapping[FileState, int]
    bytes: Mapping[FileState, int]
    orphans: int
    unknown_ids: int
    last_run: RunRow | None
    superseded: int = 0
    expired: int = 0


@dataclass(frozen=True, slots=True)
class PruneCounts:
    """What was taken out of a journal, or would be. `size_before` and `size_after` are those of the file, in bytes."""

    runs: int
    orphans: int
    superseded: int
    files: int
    size_before: int
    size_after: int
