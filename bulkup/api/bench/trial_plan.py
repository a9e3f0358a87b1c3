"""Chooses the settings of the next trial from the results of the earlier ones. No I/O.

It varies the concurrency first, from low to high and then around the best. Then it varies the batch size at that
concurrency. If workers wait for URLs, it tries more calls in flight. It stops when the service throttles requests.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from bulkup.helpers.quick_dataclass import dataclass
from bulkup.reports.bench_trials import BETTER, Choice, Concurrency, Trial, best_trial

_LADDER = (4, 16, 64)
_HIGHEST = 256
_EXTENSIONS = 2  # 128 and 256
_REFINEMENTS = 2  # below and above the best
_GAP = 2  # factor; the results of closer neighbours hardly differ
_STEP = 4  # factor between batch sizes


@dataclass(frozen=True, slots=True)
class TrialPlan:
    """The settings that a bench may try. None for a list means the default steps, and values around the best one.

    `current` are the present settings: they are tried too, and the other settings keep these values while one is
    varied. `files` is the number of files in a trial, and `rate_limit` the number of API calls per second. Without
    `calls`, tickets need no API call, and batches of other sizes make no difference.
    """

    current: Choice
    batch_limit: int
    files: int
    concurrency: tuple[Concurrency, ...] | None = None
    batch_sizes: tuple[int, ...] | None = None
    rate_limit: float | None = None
    calls: bool = True

    @property
    def most_trials(self) -> int:
        """The maximum number of trials."""
        more = _EXTENSIONS + _REFINEMENTS if self.concurrency is None else 0
        # The first batch size is tried with the concurrencies. The last trial is the one with more calls in flight.
        return len(self._rungs) + more + len(self._other_batches) + self.calls

    def next_choice(self, trials: Sequence[Trial]) -> Choice | None:
        """Return the settings to try after these trials, None at the end."""
        if len(trials) >= self.most_trials:
            return None
        tried = {trial.choice for trial in trials}
        return next((choice for choice in self._wanted(trials) if choice not in tried), None)

    def _wanted(self, trials: Sequence[Trial]) -> Iterator[Choice]:
        """Yield all settings to try, in order, including those tried already."""
        start = self._start
        base = [trial for trial in trials if replace(trial.choice, concurrency=start.concurrency) == start]
        for workers in self._concurrencies(base):
            yield replace(start, concurrency=workers)
        if (best := best_trial(base, start)) is None or best.throttled:
            return
        for size in self._other_batches:
            yield replace(best.choice, batch_size=size)
        best = best_trial(trials, start) or best
        same_calls = best.choice.calls_in_flight == start.calls_in_flight
        if self.calls and best.starves and not best.held_by(self.rate_limit) and same_calls:
            yield replace(best.choice, calls_in_flight=2 * start.calls_in_flight)

    def _concurrencies(self, base: Sequence[Trial]) -> Iterator[Concurrency]:
        if self.concurrency is not None:
            yield from self._rungs
            return
        climb = not any(trial.throttled for trial in base)
        highest = max((trial.choice.workers for trial in base), default=0)
        yield from (rung for rung in self._rungs if climb or rung == "auto" or rung < highest)
        yield from _around(base, self._cap if climb else highest)

    @property
    def _start(self) -> Choice:
        return replace(self.current, batch_size=self.batch_sizes[0]) if self.batch_sizes else self.current

    @property
    def _cap(self) -> int:
        """The highest concurrency to try: each worker has at least two files."""
        return max(1, min(_HIGHEST, self.files // 2))

    @property
    def _rungs(self) -> list[Concurrency]:
        if self.concurrency is not None:
            return list(dict.fromkeys(self.concurrency))
        rungs = {workers for workers in _LADDER if workers <= self._cap} or {self._cap}
        if self.current.concurrency != "auto":
            rungs.add(self.current.concurrency)
        return [*sorted(rungs), "auto"]

    @property
    def _other_batches(self) -> list[int]:
        """The batch sizes to try after the first one."""
        if self.batch_sizes is not None:
            return list(dict.fromkeys(self.batch_sizes[1:]))
        if not self.calls:
            return []
        size = self.current.batch_size
        # A batch larger than the number of files would make no difference.
        larger = min(_STEP * size, self.batch_limit, max(size, self.files))
        return sorted({max(1, size // _STEP), larger} - {size})


def _around(base: Sequence[Trial], cap: int) -> Iterator[int]:
    """Yield twice the highest number while it is clearly the best, then numbers between the best and its neighbours."""
    rates = {trial.choice.workers: trial.files_per_second for trial in base if trial.choice.workers}
    if not rates:
        return
    tried = sorted(rates)
    best = max(tried, key=lambda workers: rates[workers])
    grows = len(tried) == 1 or rates[tried[-1]] >= BETTER * rates[tried[-2]]
    if best == tried[-1] and grows and 2 * best <= cap:
        yield 2 * best
    place = tried.index(best)
    for low, high in ((place - 1, place), (place, place + 1)):
        if low >= 0 and high < len(tried) and tried[high] > _GAP * tried[low]:
            yield round(math.sqrt(tried[low] * tried[high]))
