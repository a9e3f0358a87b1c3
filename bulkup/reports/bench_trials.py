"""The measurements of a bench as plain values: one trial for each combination of settings, and facts on the machine.

`bulkup.reports.bench_verdict`, `bulkup.api.bench.trial_plan` and the table in `bench_report` use them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from typing import Literal

from bulkup.helpers.quick_dataclass import dataclass

Concurrency = int | Literal["auto"]

# Smaller differences are noise: trials take only seconds, and others use the same link.
_AS_GOOD = 0.95
BETTER = 1.1
_THROTTLED = 0.01  # of the requests of either kind
_STARVED = 0.4  # of the time
_AT_RATE_LIMIT = 0.8
_BUSY_LOOP = 0.85  # of one core


@dataclass(frozen=True, slots=True)
class Choice:
    """The settings of a trial."""

    concurrency: Concurrency
    batch_size: int
    calls_in_flight: int

    @property
    def workers(self) -> int:
        """The concurrency as a number, 0 for "auto"."""
        return 0 if self.concurrency == "auto" else self.concurrency


@dataclass(frozen=True, slots=True)
class RequestFigures:
    """Requests of one kind in one trial; `failed` ones include the `throttled`. Quantiles are in seconds."""

    count: int = 0
    throttled: int = 0
    failed: int = 0
    median: float | None = None
    p95: float | None = None

    @property
    def throttled_share(self) -> float:
        """The share of throttled requests."""
        return self.throttled / self.count if self.count else 0.0


@dataclass(frozen=True, slots=True)
class Trial:
    """One measured run: `files` were uploaded with `bytes` in total, and `failed` were not, for any reason.

    Times are in seconds. `came_to` is the concurrency at the end, chosen by "auto". `starved` is the share of time in
    which workers had nothing to send while URLs were requested; the time after the last request does not count.
    `sending` is the average number of files with a worker, and `recording` the average number of those that waited for
    their row in the journal. `loop_cpu` is the share of one core that the event loop's thread used, `cpu` the number of
    cores that the process used, and `machine_cpu` the busy share of all cores, None if the system does not report it.
    """

    choice: Choice
    files: int
    failed: int
    bytes: int
    seconds: float
    first_file: float | None = None
    api: RequestFigures = field(default_factory=RequestFigures)
    storage: RequestFigures = field(default_factory=RequestFigures)
    retries: int = 0
    came_to: int = 0
    starved: float = 0.0
    sending: float = 0.0
    recording: float = 0.0
    loop_cpu: float = 0.0
    cpu: float = 0.0
    machine_cpu: float | None = None

    @property
    def workers(self) -> int:
        """The concurrency as a number: the setting, or the one at the end."""
        return self.choice.workers or self.came_to

    @property
    def files_per_second(self) -> float:
        """Files uploaded per second."""
        return self.files / self.seconds if self.seconds else 0.0

    @property
    def bytes_per_second(self) -> float:
        """Bytes of uploaded files per second."""
        return self.bytes / self.seconds if self.seconds else 0.0

    def as_good_as(self, other: Trial) -> bool:
        """Return whether it was as fast, or slower only by the usual noise."""
        return self.files_per_second >= _AS_GOOD * other.files_per_second

    @property
    def throttled(self) -> bool:
        """Whether more than a negligible share of requests was throttled."""
        return max(self.api.throttled_share, self.storage.throttled_share) >= _THROTTLED

    def held_by(self, rate_limit: float | None) -> bool:
        """Return whether the rate of API calls nearly reached this limit in calls per second."""
        # The rate of a trial shorter than a second means nothing.
        return rate_limit is not None and self.api.count >= _AT_RATE_LIMIT * rate_limit * max(self.seconds, 1.0)

    @property
    def fills_a_core(self) -> bool:
        """Whether the event loop's thread, which does most of the work, was busy nearly all the time."""
        return self.loop_cpu >= _BUSY_LOOP

    @property
    def starves(self) -> bool:
        """Whether workers waited for URLs much of the time."""
        return self.starved >= _STARVED


@dataclass(frozen=True, slots=True)
class DiskSpeed:
    """The speed of reading and hashing a sample of the user's files. `cached`: they may have been in the page cache."""

    files: int
    bytes: int
    seconds: float
    cached: bool = False

    @property
    def bytes_per_second(self) -> float:
        """Bytes read per second."""
        return self.bytes / self.seconds if self.seconds else 0.0

    @property
    def files_per_second(self) -> float:
        """Files read per second."""
        return self.files / self.seconds if self.seconds else 0.0


@dataclass(frozen=True, slots=True)
class BenchFacts:
    """Facts besides the trials. `current` are the present settings, and `batch_limit` is the service's limit.

    `rate_limit` is in API calls per second. `embedded` says that the service is the embedded server on this machine.
    """

    current: Choice
    batch_limit: int
    cores: int
    rate_limit: float | None = None
    disk: DiskSpeed | None = None
    embedded: bool = False


def best_trial(trials: Sequence[Trial], current: Choice) -> Trial | None:
    """Return the trial with the best settings, None if no trial uploaded a file.

    Among trials within 5 per cent of the fastest, it prefers the `current` settings, then those that differ least: only
    in the concurrency, and with the lowest one. Trials with failed files are considered only if all have some.
    """
    usable = [trial for trial in trials if trial.files]
    usable = [trial for trial in usable if not trial.failed] or usable
    if not usable:
        return None
    fastest = max(usable, key=lambda trial: trial.files_per_second)
    as_good = [trial for trial in usable if trial.as_good_as(fastest)]
    return min(as_good, key=lambda trial: _distance(trial, current))


def _distance(trial: Trial, current: Choice) -> tuple[bool, bool, bool, int]:
    calls, batch = trial.choice.calls_in_flight, trial.choice.batch_size
    return trial.choice != current, calls != current.calls_in_flight, batch != current.batch_size, trial.workers
