"""The shapes of the JSON objects that commands print. A test compares them with real output, without unknown fields.

The docstring of a shape says when it is printed. Times are RFC 3339 in UTC with milliseconds, durations are seconds.
`None` stands for null. A field that may be missing is `NotRequired`.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired

from pydantic import ConfigDict
from typing_extensions import TypedDict

Status = Literal["uploaded", "unverified", "failed", "rejected", "changed", "unreadable"]
PublicStatus = Literal["pending", "uploaded", "unverified", "failed", "rejected", "changed", "unreadable"]
OnDisk = Literal["same", "metadata", "changed", "deleted", "removed", "unreadable"]


class Shape(TypedDict):
    """A JSON object without other fields than those declared."""

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)  # type: ignore[misc]  # pydantic reads it


class File(Shape):
    """`upload`, `retry`: a file is settled, and its row is on disk."""

    event: Literal["file"]
    path: str
    path_b64: NotRequired[str]
    source: str
    source_b64: NotRequired[str]
    status: Status
    size: int
    md5: str | None
    checksum: str | None
    remote_id: str | None
    attempts: int
    error: str | None
    unchanged: bool
    already_there: bool


class Error(Shape):
    """Any command: an error ended it, or prevented its start."""

    event: Literal["error"]
    exit_code: int
    message: str
    hint: str


class FileCounts(Shape):
    """The files of a run by state."""

    found: int
    skipped: int
    uploaded: int
    failed: int
    rejected: int
    changed: int
    unreadable: int
    remaining: int
    unverified: int


class ByteCounts(Shape):
    """The bytes of a run; each file counts once."""

    found: int
    uploaded: int


class PresignCounts(Shape):
    """The calls for upload URLs, the URLs issued, and those that replaced an expired one."""

    calls: int
    files: int
    renewed: int


class ConcurrencyCounts(Shape):
    """The limit of files sent at a time: at the end of the run, and its maximum."""

    last: int
    peak: int


class IgnoredCounts(Shape):
    """Entries of directories that are not files of the run."""

    filtered: int
    too_new: int
    hidden: int
    symlinks: int
    special: int
    repeated: int
    other_sources: int
    other_shards: int
    own: int


class ReasonCount(Shape):
    """A reason why files were not uploaded."""

    status: Status
    reason: str
    files: int


class Summary(Shape):
    """`upload`, `retry`: the last line of a run that was started."""

    event: Literal["summary"]
    run: str
    exit_code: int
    files: FileCounts
    bytes: ByteCounts
    presign: PresignCounts
    retries: int
    concurrency: ConcurrencyCounts
    seconds: float
    ignored: IgnoredCounts
    reused_tickets: int
    unsupported: int
    skippable: int
    expired: int
    already_there: int
    removed: int
    moved: int
    kept: int
    not_removed: int
    reasons: list[ReasonCount]
    empty_sources: NotRequired[int]
    paused_seconds: NotRequired[float]


class Would(Shape):
    """`upload --dry-run`: a file, and the action of a run."""

    event: Literal["would"]
    path: str
    path_b64: NotRequired[str]
    source: str
    size: int
    action: Literal["upload", "check", "confirm", "unchanged", "skipped", "rejected", "unreadable", "changed"]
    reason: str | None
    taken: bool
    expired: bool
    then: NotRequired[Literal["remove", "move"]]


class DryRun(Shape):
    """`upload --dry-run`: the last line."""

    event: Literal["dry-run"]
    files: dict[str, int]
    bytes: int


class ManifestLine(Shape):
    """`manifest`: a file of the journal."""

    path: str
    path_b64: NotRequired[str]
    source: str
    source_b64: NotRequired[str]
    size: int
    md5: str | None
    status: PublicStatus
    provider: str
    remote_id: str | None
    remote: Any
    etag: str | None
    attempts: int
    error: str | None
    uploaded_at: str | None
    kept_until: str | None
    checksum: str | None
    on_disk: NotRequired[OnDisk]


class SourcePath(Shape):
    """The path of a source."""

    path: str
    path_b64: NotRequired[str]


class Run(Shape):
    """`runs`: a run, the newest first."""

    event: Literal["run"]
    run: str
    started_at: str
    ended_at: str | None
    seconds: float | None
    files_per_second: float | None
    bytes_per_second: float | None
    exit_code: int | None
    running: bool
    provider: str
    base_url: str
    shard: str | None
    sources: list[SourcePath]
    summary: Summary | None


class JournalStatus(Shape):
    """`status`: the numbers in a journal."""

    event: Literal["status"]
    journal: str
    journal_b64: NotRequired[str]
    running: bool
    files: dict[str, int]
    bytes: dict[str, int]
    orphans: int
    unknown_ids: int
    superseded: int
    expired: int
    last_run: Run | None


class OtherId(Shape):
    """An id of a file that is not needed any more."""

    remote_id: str | None
    kind: Literal["unused", "unknown", "superseded"]
    reason: str
    created_at: str | None
    run: str | None


class FileState(Shape):
    """`status FILE`: everything about a file."""

    event: Literal["file"]
    path: str
    path_b64: NotRequired[str]
    source: str
    source_b64: NotRequired[str]
    status: PublicStatus
    reason: str | None
    hint: str | None
    attempts: int
    provider: str
    base_url: str
    remote_id: str | None
    remote: Any
    size: int
    checksum: str | None
    uploaded_at: str | None
    kept_until: str | None
    on_disk: OnDisk
    run: str | None
    run_started_at: str | None
    other_ids: list[OtherId]
    next: list[str]


class Example(Shape):
    """A file of a group of failures."""

    path: str
    path_b64: NotRequired[str]
    source: str
    source_b64: NotRequired[str]
    reason: str


class FailureGroup(Shape):
    """`failures`: the files with one reason."""

    event: Literal["failures"]
    status: Status
    reason: str
    files: int
    bytes: int
    hint: str | None
    next: list[str]
    example: Example


class LastRun(Shape):
    """`failures`: how the last run ended, after an error, a kill or an empty source, or if failed files are older."""

    event: Literal["last_run"]
    run: str
    exit_code: int | None
    cut_off: bool
    error: str | None
    hint: str | None
    remaining: int
    empty_sources: int
    next: list[str]


class Failure(Shape):
    """`failures --reason`: a file."""

    event: Literal["failure"]
    path: str
    path_b64: NotRequired[str]
    source: str
    source_b64: NotRequired[str]
    status: Status
    reason: str | None
    size: int
    attempts: int


class Difference(Shape):
    """`verify`: a file that differs, or could not be compared."""

    event: Literal["difference"]
    path: str
    path_b64: NotRequired[str]
    source: str
    source_b64: NotRequired[str]
    provider: str
    remote_id: str | None
    disk: OnDisk
    content: Literal["same", "different", "unknown", "unreadable"] | None
    store: Literal["same", "missing", "different", "expired", "unknown"] | None
    reason: str | None


class Verified(Shape):
    """`verify`: the last line."""

    event: Literal["verified"]
    exit_code: int
    files: int
    differing: int
    lost: int
    not_uploaded: int
    disk: dict[OnDisk, int]
    content: dict[str, int] | None
    store: dict[str, int] | None
    notes: list[str]


class Orphan(Shape):
    """`orphans`: a remote id that is not needed."""

    event: Literal["orphan"]
    kind: Literal["unused", "unknown", "superseded"]
    remote_id: str | None
    count: int
    provider: str
    path: str | None
    path_b64: NotRequired[str]
    source: str | None
    source_b64: NotRequired[str]
    reason: str
    created_at: str
    run: str
    superseded_by: str | None
    kept_until: str | None


class Unfinished(Shape):
    """`orphans --unfinished`: an upload in parts at the store."""

    event: Literal["unfinished"]
    remote_id: str
    began_at: str | None
    resumable: bool
    orphan: bool
    removed: bool


class Prune(Shape):
    """`runs --prune`: the numbers of rows, and the sizes of the journal in bytes."""

    event: Literal["prune"]
    dry_run: bool
    before: str
    runs: int
    orphans: int
    superseded: int
    files: int
    size_before: int
    size_after: int


class Listening(Shape):
    """`serve`: the server is ready."""

    event: Literal["listening"]
    url: str
    store: str
    pid: int


class Finding(Shape):
    """`doctor`: the result of a check."""

    subject: str
    severity: Literal["ok", "warning", "error"]
    text: str
    advice: str


class Schedule(Shape):
    """`schedule status`: a schedule, and the last runs of its journal."""

    event: Literal["schedule"]
    name: str
    kind: Literal["systemd", "cron", "launchd"]
    profile: str
    config: str
    at: list[str]
    weekdays: str | None
    watch: bool
    enabled: bool
    running: bool
    next_run: str | None
    last_start: str | None
    exit_code: int | None
    result: str | None
    place: str
    journal: str | None
    problem: str | None
    runs: list[Run]


class Notification(Shape):
    """A webhook, and the standard input of a command of `notify`."""

    event: Literal["run.start", "run.success", "run.failure"]
    test: bool
    id: str
    profile: str | None
    host: str
    time: str
    run: str | None
    exit_code: int | None
    outcome: str | None
    error: str | None
    hint: str | None
    report: str | None
    summary: Summary | None


PRINTED: tuple[Any, ...] = (
    *(File, Error, Summary, Would, DryRun, ManifestLine, Run, Prune, JournalStatus, FileState, FailureGroup, Failure),
    *(LastRun, Difference, Verified, Orphan, Unfinished, Listening, Finding, Schedule, Notification),
)
