"""The figures of a run. The pipeline updates them, and reports read them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field

from bulkup.helpers.quick_dataclass import dataclass
from bulkup.model.histogram import Histogram
from bulkup.model.progress import RunState, SendingFile, WorkerProgress
from bulkup.model.sent_files import BOUNDS, SentFiles

REASONS = 100  # that are counted
_CALL_BOUNDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)  # seconds
_AGE_BOUNDS = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0)
SETTLED = ("skipped", "uploaded", "failed", "rejected", "changed", "unreadable")


@dataclass(slots=True)
class Ignored:
    """Directory entries that are not files of the run. They are counted only here."""

    filtered: int = 0  # excluded by a pattern or by size
    too_new: int = 0  # younger than --min-age; a later run uploads them
    hidden: int = 0
    symlinks: int = 0
    special: int = 0  # sockets, pipes, devices
    repeated: int = 0  # listed more than once in a list of files
    other_sources: int = 0  # directories that are themselves sources
    other_shards: int = 0  # files that the runs of other shards take
    own: int = 0  # files and directories of bulkup itself: journal, lock, store


@dataclass(slots=True)
class Counters:
    """The figures of a run so far. Files and their bytes count once.

    `bytes_sent` counts the bytes of all attempts, `bytes_moving` those of attempts in progress; the bytes of a failed
    attempt are subtracted again. `bytes_skipped` are those of skipped files that an earlier run uploaded, which
    `bytes_settled` includes.

    `found` is the sum of skipped, uploaded, failed, rejected, changed, unreadable and remaining. Skipped files were
    uploaded by an earlier run, or are `unsupported` ones that the user chose to skip. `expired` counts skipped files
    that the service has deleted. Of the rejected files, `skippable` ones are those that the setting `unsupported` can
    skip. Uploaded includes unverified files, and those that were `already_there`: the service had their bytes before,
    and nothing was sent. `concurrency` is the current worker limit, and `concurrency_peak` its maximum so far.
    `reasons` counts files that were not uploaded, by state and reason. `presign_seconds` are the durations of presign
    calls with an answer, `url_age` the ages of URLs of this run when the attempt began that storage accepted.
    `api_seconds` are the durations of all requests to the API that were answered, `sent` is about the files that
    storage accepted.

    With `delete_after_upload` or `move_to`, uploaded files were `removed` from their source, or `moved`. Those `kept`
    had changed since their upload, or have other hard links. `not_removed` counts removals that failed.
    """

    found: int = 0
    skipped: int = 0
    unsupported: int = 0
    expired: int = 0
    uploaded: int = 0
    unverified: int = 0
    already_there: int = 0
    failed: int = 0
    rejected: int = 0
    skippable: int = 0
    changed: int = 0
    unreadable: int = 0
    removed: int = 0
    moved: int = 0
    kept: int = 0
    not_removed: int = 0
    bytes_found: int = 0
    bytes_settled: int = 0
    bytes_skipped: int = 0
    bytes_uploaded: int = 0
    bytes_sent: int = 0
    bytes_moving: int = 0
    presign_calls: int = 0
    presign_files: int = 0
    presign_renewed: int = 0
    retries: int = 0
    reused_tickets: int = 0
    concurrency: int = 0
    concurrency_peak: int = 0
    scan_done: bool = False
    ignored: Ignored = field(default_factory=Ignored)
    reasons: dict[tuple[str, str], int] = field(default_factory=dict)
    presign_seconds: Histogram = field(default_factory=lambda: Histogram(_CALL_BOUNDS))
    url_age: Histogram = field(default_factory=lambda: Histogram(_AGE_BOUNDS))
    api_seconds: Histogram = field(default_factory=lambda: Histogram(BOUNDS))
    sent: SentFiles = field(default_factory=SentFiles)

    def note_reason(self, state: str, reason: str) -> None:
        """Count a file that was not uploaded. After `REASONS` different reasons the rest counts as one."""
        key = (state, reason)
        if key not in self.reasons and len(self.reasons) >= REASONS:
            key = (state, "other reasons")
        self.reasons[key] = self.reasons.get(key, 0) + 1

    @property
    def settled(self) -> int:
        """The number of files in a terminal state."""
        return sum(getattr(self, name) for name in SETTLED)

    @property
    def bytes_done(self) -> int:
        """The bytes of settled files, and the bytes already sent of files in flight."""
        return min(self.bytes_found, self.bytes_settled + self.bytes_moving)

    @property
    def remaining(self) -> int:
        """The number of files that were found and are not settled."""
        return self.found - self.settled


@dataclass(slots=True)
class Counted:
    """The files that the counting walk has met so far, and their bytes. Earlier runs have uploaded those in `settled`.

    `complete` says that it met all of them. While `running`, it still counts.
    """

    files: int = 0
    bytes: int = 0
    settled: int = 0
    bytes_settled: int = 0
    running: bool = False
    complete: bool = False


def no_files(_now: float, _most: int) -> tuple[SendingFile, ...]:
    """Return no file: where nothing is sent, as in tests of a stage alone."""
    return ()


def always_running() -> RunState:
    """Return that the run goes on: where nothing can pause it, as in tests of a stage alone."""
    return "running"


@dataclass(frozen=True, slots=True)
class Gauge:
    """The figures that a display reads during a run.

    `depths` returns the number of items by stage. `sending` returns at most so many of the files that are being sent,
    at a time in monotonic seconds. `workers` returns a row for each worker of a cluster.
    """

    counters: Counters
    depths: Callable[[], Mapping[str, int]]
    counted: Counted = field(default_factory=Counted)
    sending: Callable[[float, int], tuple[SendingFile, ...]] = no_files
    state: Callable[[], RunState] = always_running
    workers: Callable[[], tuple[WorkerProgress, ...]] = tuple
