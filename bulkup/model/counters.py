"""The figures of a run. The pipeline counts, the reports read; neither knows the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

SETTLED = ("skipped", "uploaded", "failed", "rejected", "changed", "unreadable")


@dataclass(slots=True)
class Ignored:
    """Directory entries that are no business of the run, so that they count nowhere else."""

    filtered: int = 0  # excluded by a pattern or by size
    too_new: int = 0  # younger than --min-age; the next run takes them
    hidden: int = 0
    symlinks: int = 0
    special: int = 0  # sockets, pipes, devices
    repeated: int = 0  # named more than once in a list
    other_sources: int = 0  # directories that are a source of their own


@dataclass(slots=True)
class Counters:
    """What a run has done so far. Files and bytes count once; `bytes_sent` counts every byte of every attempt,
    `bytes_moving` those of attempts under way: of a failed one they are taken off again.

    `found` is the sum of skipped, uploaded, failed, rejected, changed, unreadable and remaining. Skipped files are
    those an earlier run uploaded, and `unsupported` ones where the user said to skip them; `expired` are those among
    them that the service keeps no longer. Uploaded includes unverified. `concurrency` is how many files may be sent at
    the same time now, `concurrency_peak` the most that it has been.
    """

    found: int = 0
    skipped: int = 0
    unsupported: int = 0
    expired: int = 0
    uploaded: int = 0
    unverified: int = 0
    failed: int = 0
    rejected: int = 0
    changed: int = 0
    unreadable: int = 0
    bytes_found: int = 0
    bytes_settled: int = 0
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

    @property
    def settled(self) -> int:
        """Files that reached a terminal state."""
        return sum(getattr(self, name) for name in SETTLED)

    @property
    def bytes_done(self) -> int:
        """Bytes of settled files and what has gone out of those being sent."""
        return min(self.bytes_found, self.bytes_settled + self.bytes_moving)

    @property
    def remaining(self) -> int:
        """Files found and not settled."""
        return self.found - self.settled


@dataclass(frozen=True, slots=True)
class Gauge:
    """What a display may look at while a run goes on. `depths` gives the number of items by stage name."""

    counters: Counters
    depths: Callable[[], Mapping[str, int]]
