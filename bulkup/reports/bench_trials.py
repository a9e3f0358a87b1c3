"""Measurements of a bench: one trial for each combination of settings, and facts about the machine. Plain values.

Read by `bulkup.reports.bench_verdict`, `bulkup.api.bench.trial_plan` and the table in `bench_report`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

Concurrency = int | Literal["auto"]

# Differences below these are noise: runs of a few seconds on a link that others use too.
_AS_GOOD = 0.95
BETTER = 1.1
_THROTTLED = 0.01  # of the requests of either kind
_STARVES = 0.4  # of the time
_AT_THE_LIMIT = 0.8
_BUSY_LOOP = 0.85  # of one core


@dataclass(frozen=True, slots=True)
class Choice:
    """The settings that a trial was made with."""

    concurrency: Concurrency
    batch_size: int
    calls_in_flight: int

    @property
    def workers(self) -> int:
        """The concurrency as a number, 0 where it finds itself."""
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
        """The share that was asked to slow down."""
        return self.throttled / self.count if self.count else 0.0


@dataclass(frozen=True, slots=True)
class Trial:
    """One run. `files` were uploaded, `failed` were not, whatever the reason; `bytes` are of the former.

    Times are in seconds. `came_to` is the concurrency at its end, which `auto` has found. `starved` is the share of its
    time in which workers had nothing to send while calls for URLs were under way; the time in which nothing is left to
    ask for does not count. `sending` and `recording` are how many files on average were with a worker, and how many of
    those waited for their row on disk. `loop_cpu` is what the thread of the event loop took of one core, `cpu` what the
    process took in cores, `machine_cpu` the share of all cores that was busy with anything, None where the system does
    not tell.
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
        """The concurrency as a number: the one given, or the one that it came to."""
        return self.choice.workers or self.came_to

    @property
    def files_per_second(self) -> float:
        """Files uploaded in a second."""
        return self.files / self.seconds if self.seconds else 0.0

    @property
    def bytes_per_second(self) -> float:
        """Bytes of uploaded files in a second."""
        return self.bytes / self.seconds if self.seconds else 0.0

    def as_good_as(self, other: Trial) -> bool:
        """Say whether it was as fast, or so little slower that it may be chance."""
        return self.files_per_second >= _AS_GOOD * other.files_per_second

    @property
    def throttled(self) -> bool:
        """Whether the service or its storage asked to slow down more often than by chance."""
        return max(self.api.throttled_share, self.storage.throttled_share) >= _THROTTLED

    def held_by(self, rate_limit: float | None) -> bool:
        """Say whether API calls came about as fast as this limit (calls a second) lets them."""
        # A trial below a second has no rate of calls worth speaking of.
        return rate_limit is not None and self.api.count >= _AT_THE_LIMIT * rate_limit * max(self.seconds, 1.0)

    @property
    def fills_a_core(self) -> bool:
        """Whether the thread that does most of the work had hardly any time to spare."""
        return self.loop_cpu >= _BUSY_LOOP

    @property
    def starves(self) -> bool:
        """Whether workers waited for URLs for much of the time."""
        return self.starved >= _STARVES


@dataclass(frozen=True, slots=True)
class DiskSpeed:
    """A sample of the user's own files, read and hashed. `cached` says that the system may have had them in memory."""

    files: int
    bytes: int
    seconds: float
    cached: bool = False

    @property
    def bytes_per_second(self) -> float:
        """Bytes read in a second."""
        return self.bytes / self.seconds if self.seconds else 0.0

    @property
    def files_per_second(self) -> float:
        """Files read in a second."""
        return self.files / self.seconds if self.seconds else 0.0


@dataclass(frozen=True, slots=True)
class BenchFacts:
    """What is known beside the trials. `current` are the settings as they stand, `batch_limit` the service's own.

    `rate_limit` is in API calls a second. `embedded` says that the service is the embedded server on this machine.
    """

    current: Choice
    batch_limit: int
    cores: int
    rate_limit: float | None = None
    disk: DiskSpeed | None = None
    embedded: bool = False


def best_trial(trials: Sequence[Trial], current: Choice) -> Trial | None:
    """Return the trial whose settings are the best, None where none uploaded anything.

    Of trials that are as good as the fastest, within 5 per cent, it is that with the `current` settings, then the one
    that differs least: in the concurrency alone, and that as low as it may be. One that lost files is taken only where
    there is no other.
    """
    able = [trial for trial in trials if trial.files]
    able = [trial for trial in able if not trial.failed] or able
    if not able:
        return None
    fastest = max(able, key=lambda trial: trial.files_per_second)
    as_good = [trial for trial in able if trial.as_good_as(fastest)]
    return min(as_good, key=lambda trial: _distance(trial, current))


def _distance(trial: Trial, current: Choice) -> tuple[bool, bool, bool, int]:
    calls, batch = trial.choice.calls_in_flight, trial.choice.batch_size
    return trial.choice != current, calls != current.calls_in_flight, batch != current.batch_size, trial.workers
