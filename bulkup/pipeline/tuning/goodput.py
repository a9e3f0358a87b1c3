"""How much comes of the workers: what was seen of them, cut into pieces that can be compared. Pure.

Goodput is counted in work: the bytes that storage took, and for each file as much again as its request costs. So a
piece with many small files and one with a few large ones measure the same thing.
"""

from __future__ import annotations

from dataclasses import dataclass

REQUEST = 128 * 1024
LARGE = 1024**2
# Seconds. A piece of small files holds a turn of the workers at least, for files that begin together end together.
_SHORTEST_AT_FIRST = 0.1
_SHORTEST = 0.5
_OF_LARGE = 1.0
_LONGEST = 5.0
# Workers that were idle for more of the time were not what held the run up.
_AT_WORK = 0.8
_HELD = 0.25
_FAILED = 0.1
_FORGETS = 0.8


@dataclass(frozen=True, slots=True)
class Observation:
    """What is seen at `now`, in monotonic seconds; all but the last two are totals since the run began.

    `files` are attempts that storage took, `failed` those that came to nothing. `bytes` are those of files that storage
    took, and of large ones what has gone out. `busy` are the workers that have a file, `held` the files that wait
    because their host has no room for them.
    """

    now: float
    files: int
    failed: int
    bytes: int
    busy: int
    held: int


@dataclass(frozen=True, slots=True)
class Sample:
    """A time in which the number of workers did not change: `rate` in work a second.

    `calm` says that no host held files back, few attempts failed and something came of them; `full` that the workers
    had files nearly all of the time. Where either is not so, the rate says nothing of their number.
    """

    rate: float
    calm: bool
    full: bool


class Sampler:
    """Cuts what is seen into pieces, and knows how long a file takes (`latency`, in seconds) and how large it is."""

    def __init__(self) -> None:
        self.latency = 0.0
        self._files = self._bytes = 0.0  # lately
        self._since: Observation | None = None
        self._begun = False  # until the first files have their tickets there is nothing to see
        self._settled_at = 0.0
        self._ticks = self._busy = self._held = 0

    @property
    def large(self) -> bool:
        """Say whether the files that go are large ones, lately."""
        return self._bytes > LARGE * max(1.0, self._files)

    @property
    def pace(self) -> float:
        """Return how many seconds it takes until another number of workers shows."""
        return _OF_LARGE if self.large else self.latency

    def restart(self, now: float) -> None:
        """Begin anew after the number of workers changed at `now`, once that shows in what they do."""
        self._since = None
        self._settled_at = now + min(self.pace, 2 * _LONGEST)

    def add(self, seen: Observation, workers: int, *, at_first: bool) -> Sample | None:
        """Take what is seen; return the piece that ends here, if one does. Pieces are shorter at first."""
        if self._since is None:
            # Workers that are too many end what they do first, which takes a large file long.
            self._begun = self._begun or seen.busy >= _AT_WORK * workers
            if self._begun and seen.now >= self._settled_at and seen.busy <= workers:
                self._begin(seen)
            return None
        self._ticks += 1
        self._busy += min(seen.busy, workers)
        self._held += seen.held > 0
        if not self._ends(seen, self._since, workers, _SHORTEST_AT_FIRST if at_first else _SHORTEST):
            return None
        piece = self._cut(seen, self._since, workers)
        self._begin(seen)
        return piece

    def _begin(self, seen: Observation) -> None:
        self._since = seen
        self._ticks = self._busy = self._held = 0

    def _ends(self, seen: Observation, since: Observation, workers: int, shortest: float) -> bool:
        lasted = seen.now - since.now
        if self.large or lasted >= _LONGEST:
            return lasted >= _OF_LARGE
        return lasted >= shortest and seen.files + seen.failed - since.files - since.failed >= workers

    def _cut(self, seen: Observation, since: Observation, workers: int) -> Sample:
        files, size, failed = seen.files - since.files, seen.bytes - since.bytes, seen.failed - since.failed
        lasted = seen.now - since.now
        # Little's law: how long each was under way, on average, where so many were at a time and so many ended.
        self.latency = lasted * self._busy / self._ticks / max(1, files + failed)
        self._files = _FORGETS * self._files + files
        self._bytes = _FORGETS * self._bytes + size
        rate = (size + files * REQUEST) / lasted
        calm = rate > 0 and self._held <= _HELD * self._ticks and failed <= _FAILED * (files + failed)
        return Sample(rate, calm, self._busy >= _AT_WORK * self._ticks * workers)
