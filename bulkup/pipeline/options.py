"""What a run is told about itself; plain values, resolved from the settings by the composition root."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

MIB = 1024**2
MOST_WORKERS = 256
LARGE = MIB  # a larger file counts its bytes while it is sent, and not at its end
FIRST_WORKERS = 16  # of `concurrency = "auto"`


@dataclass(frozen=True, slots=True)
class ScanOptions:
    """Which files are the run's business. Sizes in bytes, ages in seconds; patterns in gitignore syntax."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    min_size: int | None = None
    max_size: int | None = None
    min_age: float = 0.0
    hidden: Literal["include", "skip"] = "include"
    symlinks: Literal["skip", "inside", "follow"] = "skip"
    files_from: str | None = None
    null: bool = False


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long a file is tried. Times in seconds.

    A wait is drawn between 0 and `base * 2**n`, `cap` at most ("full jitter"), and is never shorter than what the other
    side asked for, `retry_after_max` at most. `retry_for` counts from a file's first failure, and is how long a host
    may answer nobody. A ticket is renewed `renewals` times after storage called it expired, and `lapses` times after it
    ran out while its file waited, as it may where storage throttles for longer than a lease. `on_change` says what
    becomes of a file that changes or vanishes under our hands.
    """

    attempts: int = 10
    retry_for: float = 900.0
    retry_after_max: float = 300.0
    on_change: Literal["skip", "retry", "fail"] = "skip"
    base: float = 0.25
    cap: float = 15.0
    renewals: int = 10
    lapses: int = 100


@dataclass(frozen=True, slots=True)
class SendOptions:
    """How a file is read and sent, in whatever process: see `PipelineOptions`."""

    follow_links: bool = False
    checksum: Literal["md5", "none"] = "md5"
    readers: int = 8


@dataclass(frozen=True, slots=True)
class PipelineOptions:
    """The sizes of the pipeline. Times in seconds, memory in bytes.

    `concurrency` is the most files that are sent at the same time; with `adaptive`, as many of them as bring something.
    `closing` files more may be on their way while they wait for their closing calls, which can take a service long.
    `readers` threads read small files: more of them only wait for one another, unless the disk is slow to answer.
    `group_age` is how long a file waits for its group to fill while workers have nothing else to do. `memory` bounds
    what is held of files' contents at any time. `max_failures` is how many files may fail for good before the run ends.
    With the `checksum` "none" nothing that is sent is hashed. `processes` are those that send files: 1 is this one, and
    None means that it is found by trying whether others bring anything.
    """

    concurrency: int = 32
    adaptive: bool = False
    processes: int | None = 1
    batch_size: int = 100
    calls_in_flight: int = 4
    closing: int = 0
    group_age: float = 0.25
    lease_margin: float = 15.0
    grace: float = 30.0
    max_failures: int | None = None
    memory: int = 64 * MIB
    hashers: int = 2
    readers: int = 8
    checksum: Literal["md5", "none"] = "md5"
    identity: Literal["strict", "default", "content"] = "default"
    reupload_expired: bool = False
    unsupported: Literal["report", "skip"] = "report"
    scan: ScanOptions = field(default_factory=ScanOptions)
    retry: RetryPolicy = field(default_factory=RetryPolicy)

    @property
    def workers_at_first(self) -> int:
        """How many workers begin."""
        return min(FIRST_WORKERS, self.concurrency) if self.adaptive else self.concurrency

    @property
    def sending(self) -> SendOptions:
        """What concerns a single attempt."""
        return SendOptions(self.scan.symlinks != "skip", self.checksum, self.readers)

    @property
    def in_flight(self) -> int:
        """How many files may be on their way: enough to fill every group being asked for, one more, and the workers."""
        return self.batch_size * (self.calls_in_flight + 1) + 2 * self.concurrency + self.closing
