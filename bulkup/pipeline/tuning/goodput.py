"""The goodput of the workers: observations of a run, cut into samples that can be compared. Pure.

Goodput is measured in work: the bytes that storage accepted, plus the cost of a request for each file. Small and
large files are measured alike.
"""

from __future__ import annotations

import math

from bulkup.helpers.quick_dataclass import dataclass
from bulkup.pipeline.options import LARGE

REQUEST = 128 * 1024  # the work of one request


@dataclass(frozen=True, slots=True)
class SamplerOptions:
    """The length of a sample, in seconds, and when a sample counts; shares are between 0 and 1.

    A sample of small files holds at least one file for each worker, because files that begin together end together.
    """

    shortest_at_first: float = 0.1
    shortest: float = 0.5
    of_large: float = 1.0
    longest: float = 5.0
    busy_share: float = 0.8  # of the workers; with fewer busy, the workers did not limit the run
    held_share: float = 0.25  # of the time in which a host held files back
    failed_share: float = 0.1  # of the attempts
    decay: float = 0.8  # weight of the samples before, for the average file size


@dataclass(frozen=True, slots=True)
class Observation:
    """The state of a run at `now`, in monotonic seconds. `files`, `failed` and `bytes` are totals of the run.

    `files` are attempts that storage accepted, `failed` the other ones that ended. `bytes` are those of accepted files,
    and of large files the bytes sent. `busy` is the number of workers with a file, `held` the number of files that wait
    because their host admits no more. `spent` are the seconds that all ended attempts took together. `in_groups` says
    that sending processes send the files. `round_trip` is the time in which a connection to storage is opened, None
    where that is unknown. `cores` is the number of cores that this process used since the last observation.
    """

    now: float
    files: int
    failed: int
    bytes: int
    busy: int
    held: int
    spent: float
    in_groups: bool = False
    round_trip: float | None = None
    cores: float = 0.0


@dataclass(frozen=True, slots=True)
class Sample:
    """A period in which the number of workers did not change; `rate` is its goodput per second.

    `calm`: no host held files back, few attempts failed, and some work was done. `full`: nearly all workers had a file
    all the time. A sample that is not both says nothing about the number of workers.
    """

    rate: float
    calm: bool
    full: bool


class Sampler:
    """Cuts observations into samples; knows the average time (`latency`, in seconds) and size of a file.

    `cores` is the number of cores that this process used during the last sample.
    """

    def __init__(self, options: SamplerOptions) -> None:
        self.latency = 0.0
        self.cores = 0.0
        self._options = options
        self._files = self._bytes = 0.0  # of the last samples, older ones weigh less
        self._since: Observation | None = None
        self._begun = False  # until the first files have their tickets there is nothing to measure
        self._settled_at = -math.inf
        self._ticks = self._busy = self._held = 0
        self._cores = 0.0

    @property
    def large(self) -> bool:
        """Return whether files are large on average."""
        return self._bytes > LARGE * max(1.0, self._files)

    @property
    def size(self) -> float:
        """Return the average size of a file, in bytes."""
        return self._bytes / max(1.0, self._files)

    @property
    def pace(self) -> float:
        """Return how many seconds a change of the number of workers takes to show."""
        return self._options.of_large if self.large else self.latency

    def restart(self, now: float, pace: float | None = None) -> None:
        """Begin a new sample after the number of workers changed at `now`, once the change shows, after `pace`."""
        self._since = None
        self._settled_at = now + min(self.pace if pace is None else pace, 2 * self._options.longest)

    def add(self, seen: Observation, workers: int, *, at_first: bool) -> Sample | None:
        """Take an observation; return the sample that ends with it, if any. Samples are shorter `at_first`."""
        if self._since is None:
            # Workers above the limit first finish their files, which takes long with large ones.
            self._begun = self._begun or seen.busy >= self._options.busy_share * workers
            if self._begun and seen.now >= self._settled_at and seen.busy <= workers:
                self._begin(seen)
            return None
        self._ticks += 1
        self._busy += min(seen.busy, workers)
        self._held += seen.held > 0
        self._cores += seen.cores
        shortest = self._options.shortest_at_first if at_first else self._options.shortest
        if not self._ends(seen, self._since, workers, shortest):
            return None
        sample = self._cut(seen, self._since, workers)
        self._begin(seen)
        return sample

    def _begin(self, seen: Observation) -> None:
        self._since = seen
        self._ticks = self._busy = self._held = 0
        self._cores = 0.0

    def _ends(self, seen: Observation, since: Observation, workers: int, shortest: float) -> bool:
        lasted = seen.now - since.now
        if self.large or lasted >= self._options.longest:
            return lasted >= self._options.of_large
        return lasted >= shortest and seen.files + seen.failed - since.files - since.failed >= workers

    def _cut(self, seen: Observation, since: Observation, workers: int) -> Sample:
        options = self._options
        files, size, failed = seen.files - since.files, seen.bytes - since.bytes, seen.failed - since.failed
        lasted = seen.now - since.now
        spent, busy, ended = seen.spent - since.spent, self._busy / self._ticks, files + failed
        # The quick files end first, so in a short sample those that ended took less time than the others will.
        self.latency = max(spent, lasted * busy) / max(1, ended)
        self.cores = self._cores / self._ticks
        self._files = options.decay * self._files + files
        self._bytes = options.decay * self._bytes + size
        rate = (size + files * REQUEST) / lasted
        if spent and not self.large:
            # Files that began together end together, and a sample that ends with them counts one turn too many.
            # Little's law gives the rate from the time that each file took.
            rate = min(rate, busy * (size + files * REQUEST) / spent)
        few_held = self._held <= options.held_share * self._ticks
        calm = rate > 0 and few_held and failed <= options.failed_share * ended
        return Sample(rate, calm, self._busy >= options.busy_share * self._ticks * workers)
