"""Rows that the journal returns to commands: files, runs, orphans, and its status."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from bulkup.helpers.quick_dataclass import dataclass
from bulkup.model.disk_states import DiskState
from bulkup.model.files import UNKNOWN_IDENTITY, Identity
from bulkup.model.states import FileState


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """One file. `remote` is the service's answer without secrets; times are Unix times.

    `checksum` is the recorded digest with the name of its algorithm, such as `sha256:e3b0...`. `md5` has the hex digits
    if it is an MD5. `identity` is that of the recorded version, `run` the number of the run that wrote the row.
    `on_disk` is None unless the disk was looked at.
    """

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
    checksum: str | None = None
    identity: Identity = UNKNOWN_IDENTITY
    run: int = 0
    on_disk: DiskState | None = None


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """Files of one status that were not uploaded for the same reason, without the details of single files.

    `size` is the sum of their bytes. `path` in `source` is one of them, and `example` its own reason.
    """

    status: FileState
    reason: str
    files: int
    size: int
    source: bytes
    path: bytes
    example: str


@dataclass(frozen=True, slots=True)
class FileRecord:
    """All that the journal has of one file at one destination.

    `run` wrote the row at the latest, and `run_started` is its Unix time; both are None if the run was pruned.
    `other_ids` are ids of the file that are not needed any more, the newest first.
    """

    row: ManifestRow
    base_url: str
    run: str | None
    run_started: float | None
    other_ids: tuple[OrphanRow, ...] = ()


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run. `ended_at`, `exit_code` and `summary` are None while it is `running`, and if it was cut off.

    `summary` is the object that the run printed as its last line. `shard` is a text such as `2/4`, None for all files.
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
    shard: str | None = None


@dataclass(frozen=True, slots=True)
class OrphanRow:
    """A remote id that is no longer needed: it has no upload, or its file was uploaded again with another id.

    If `remote_id` is None, the row stands for up to `count` unknown ids of a call that was cut off before its answer.
    `superseded_by` is the file's new id. `kept_until` is the Unix time at which the service deletes the old upload,
    None for never.
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
        """The kind of the orphan: an id without an upload, unknown ids, or the id of an earlier upload."""
        if self.superseded_by is not None:
            return "superseded"
        return "unknown" if self.remote_id is None else "unused"


@dataclass(frozen=True, slots=True)
class UnfinishedRow:
    """An upload in parts that the service lists as unfinished. `begun` is a Unix time, None if unknown.

    `resumable` says that the next run continues it, `orphan` that the journal has it as given up, `removed` that the
    command has removed it.
    """

    remote_id: str
    begun: float | None
    resumable: bool
    orphan: bool
    removed: bool = False


@dataclass(frozen=True, slots=True)
class JournalStatus:
    """The numbers of files and bytes in each state, and the newest run.

    `expired` counts uploads that the service has deleted.
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
    """The rows that were deleted from a journal, or would be, and the size of its file in bytes before and after."""

    runs: int
    orphans: int
    superseded: int
    files: int
    size_before: int
    size_after: int
