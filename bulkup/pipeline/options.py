"""The options of a run: plain values, resolved from the settings by the composition root."""

from __future__ import annotations

from dataclasses import field
from typing import Literal

from bulkup.helpers.quick_dataclass import dataclass
from bulkup.model.files import Algorithm
from bulkup.model.shard import Shard

Symlinks = Literal["skip", "inside", "follow"]
IdentityMode = Literal["strict", "default", "content", "size-mtime"]
Order = Literal["path", "newest", "oldest", "smallest", "largest"]
MIB = 1024**2
MOST_WORKERS = 256
LARGE = MIB  # a larger file counts its bytes while it is sent, and not at its end
FIRST_WORKERS = 16  # of `concurrency = "auto"`


@dataclass(frozen=True, slots=True)
class ScanOptions:
    """Which files belong to the run. Sizes in bytes, ages in seconds; patterns in gitignore syntax.

    With `ignore_file`, the patterns at the top of a source are excluded too. `max_depth` counts levels of directories
    from 1. `order` is the order in which they are sent, None for that in which they are found. `shard` is the part of
    the files that the run takes, None for all.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    min_size: int | None = None
    max_size: int | None = None
    min_age: float = 0.0
    max_age: float | None = None
    max_depth: int | None = None
    ignore_file: bool = True
    hidden: Literal["include", "skip"] = "include"
    symlinks: Symlinks = "skip"
    files_from: str | None = None
    null: bool = False
    order: Order | None = None
    shard: Shard | None = None


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long a file is tried. Times in seconds.

    A wait is drawn between 0 and `base * 2**n`, at most `cap` ("full jitter"). It is never shorter than the time that
    the other side asked for, which counts up to `retry_after_max`. `retry_for` counts from a file's first failure; a
    host that answers no request for that long ends the run.

    A ticket is renewed at most `renewals` times after storage called it expired, `tickets_after_refusal` times after an
    unknown refusal, and `lapses` times after it expired while its file waited, as it may where storage throttles for
    longer than a lease. The run ends after `lost_rounds` rounds of tickets that were over when they arrived, or
    `lost_rounds_later` once storage has taken a file. It also ends after `common_refusals` files that were refused
    alike before any was accepted. After a checksum mismatch a file is read and sent again `fresh_reads` times.

    `on_change` says how to treat a file that changes or vanishes while it is read. With "retry" it is looked at again
    after each of the pauses in `rechecks`: they are enough for a file that is being finished, and end for a log that is
    written all night. A service that never answered is more likely a wrong address than an outage, so it gets
    `first_contact_tries`. Polls are at least `shortest_poll` apart, and at most `longest_poll`.
    """

    attempts: int = 10
    retry_for: float = 900.0
    retry_after_max: float = 300.0
    on_change: Literal["skip", "retry", "fail"] = "skip"
    base: float = 0.25
    cap: float = 15.0
    renewals: int = 30
    lapses: int = 100
    lost_rounds: int = 6
    lost_rounds_later: int = 30
    common_refusals: int = 8
    fresh_reads: int = 1
    tickets_after_refusal: int = 1
    first_contact_tries: int = 5
    rechecks: tuple[float, ...] = (1.0, 4.0, 16.0)
    shortest_poll: float = 0.1
    longest_poll: float = 15.0


@dataclass(frozen=True, slots=True)
class SendOptions:
    """How a file is read and sent, in this process or in a sending process: see `PipelineOptions`."""

    symlinks: Symlinks = "skip"
    identity: IdentityMode = "default"
    algorithms: tuple[Algorithm, ...] = ("md5",)
    readers: int = 8


@dataclass(frozen=True, slots=True)
class DisposalOptions:
    """How uploaded files leave their source: they are moved to the directory `move_to`, or removed without one."""

    move_to: bytes | None = None


@dataclass(frozen=True, slots=True)
class PipelineOptions:
    """The sizes of the pipeline. Times in seconds, memory in bytes.

    `concurrency` is the most files that are sent at once. With `adaptive`, the number below it is found by measuring.
    `calls_in_flight` is the most presign calls at a time. A closing call is about one file, so there may be more of
    them: `closing_calls`, None for as many. `closing` further files may be in flight while they wait for their closing
    calls, which can take a service long. `readers` threads read small files: more of them only wait for one another,
    unless the disk answers slowly.

    `group_age` is how long a file waits for its group to fill while fewer tickets wait than there are workers. `memory`
    bounds the contents of files that are held at once. The run ends once `max_failures` files have failed. It
    takes at most `max_files` files, and no further one after `max_bytes`. `algorithms` are the checksums that are
    computed of each file while it is sent; the first one is recorded. `settings_digest` stands for the settings with
    which the service is asked. It is empty where files that it rejected in earlier runs are asked for again.
    `processes` send files: 1 is this process alone, and None finds the number by measuring. A request that has lasted
    for `longest_silence` makes progress, or it would have been ended. With `count`, a second walk counts the files
    ahead of the scanner, for the progress. With `disposal`, uploaded files are removed from their source.
    """

    concurrency: int = 32
    adaptive: bool = False
    processes: int | None = 1
    batch_size: int = 100
    calls_in_flight: int = 4
    closing_calls: int | None = None
    closing: int = 0
    group_age: float = 0.25
    lease_margin: float = 15.0
    grace: float = 30.0
    longest_silence: float = 90.0
    max_failures: int | None = None
    max_files: int | None = None
    max_bytes: int | None = None
    memory: int = 64 * MIB
    hashers: int = 2
    readers: int = 8
    algorithms: tuple[Algorithm, ...] = ("md5",)
    identity: IdentityMode = "default"
    reupload_expired: bool = False
    settings_digest: str = ""
    unsupported: Literal["report", "skip"] = "report"
    count: bool = False
    disposal: DisposalOptions | None = None
    scan: ScanOptions = field(default_factory=ScanOptions)
    retry: RetryPolicy = field(default_factory=RetryPolicy)

    @property
    def workers_at_first(self) -> int:
        """The number of workers that begin."""
        return min(FIRST_WORKERS, self.concurrency) if self.adaptive else self.concurrency

    @property
    def most_closing_calls(self) -> int:
        """The most closing calls and polls at a time."""
        return self.calls_in_flight if self.closing_calls is None else self.closing_calls

    @property
    def sending(self) -> SendOptions:
        """The options of a single attempt."""
        return SendOptions(self.scan.symlinks, self.identity, self.algorithms, self.readers)

    @property
    def in_flight(self) -> int:
        """The most files in flight: enough for every group of the calls under way, one more group, and the workers."""
        return self.batch_size * (self.calls_in_flight + 1) + 2 * self.concurrency + self.closing
