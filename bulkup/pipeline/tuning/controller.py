"""The number of workers, found by trial (`concurrency = "auto"`).

Theory of operation
-------------------

The controller takes observations and returns the wanted number of workers. It compares the goodput of two numbers: the
number in use, and another one that is on trial.

    starting   no file has ended yet, so there is nothing to measure
    growing    the first trials: each one tries more workers (first 4 times, then twice as many), without pauses
    holding    a number is in use; its samples are collected in `before`
    trying     another number is in use; its samples are collected in `after`, and `base` is the number to return to

    state      event                                    next state
    starting   all workers wait for `patience` seconds  starting, with `unanswered` workers
    starting   a file ends, or bytes of a large file go growing, from the number in use
    growing    files are crowded, before a trial        holding
    growing    `after` is better                        growing, from the better number
    growing    the same, but files are crowded          holding, at the better number
    growing    this process uses a whole core           growing, without a trial
    growing    `after` is not better                    holding, at `base`
    holding    the time of the next trial has come      trying, with twice or half as many workers
    holding    3 samples in a row far from the usual    trying at once: the link has changed, old samples are dropped
    trying     `after` is better                        holding, at the new number; the next trial begins at once
    trying     `after` is not better                    holding, at `base`; the next trial is in the other direction
    trying     a sample that is not calm or not full    holding, at `base`: it says nothing about the number
    any        more workers than the cap                holding, at the cap
    any        files begin to leave in groups           holding, at `in_groups` or the cap

A trial in the state `growing` also ends in `holding` with a sample that is not calm or not full.

A run begins with few workers, which is enough where a file takes milliseconds. Over a link with latency the first files
take many round trips, because new connections send slowly at first. So if no file ends at once, the other workers
follow before the first answers: the connections of all of them are then opened, and speed up, at the same time. On a
link of 200 Mbit/s and 40 ms this saves 0.1 seconds. The samples begin with the second file of each worker. The time
that the first files took is the least time to begin with. It may be long already, because they share the link. So
until the growth ends, files are also compared with the time that TCP and a store need for them on a link that is not
full. That of TCP follows from the round trip and the size, that of the store is taken to be long.

More workers are better if they bring at least 5 % more; fewer are better if they lose less than 3 %. So of several
numbers with the same goodput the smallest wins, which needs the least memory and latency. Links and stores change, so
trials never end; each trial without success doubles the pause before the next one, from 5 to 60 seconds.

Small files are crowded if each takes 1.5 times as long as with the number at which it took least. By Little's law, the
goodput times that least time is the number of files that the way to storage holds: the bandwidth-delay product. More
workers then make files wait for one another, at a link or a processor. So no more are tried: over a link with loss,
1,000 files took 5 % longer with 128 workers than with 64.

Python runs one thread at a time. So a process that uses a whole core has nothing to give to more workers of small
files. They would only cost: each opens a connection, which takes a millisecond of CPU time with TLS. So no more are
tried. Large files are hashed and sent outside of Python, by several threads at a time.

Files that sending processes send leave, end and are recorded in groups. Most of the time a file waits for the others of
its group, so many more have to be under way for the processes to have work. These processes exist only where a
processor was the limit, not the way to storage. So then there are `in_groups` workers, and no trials of fewer.

Invariants:

- min(`least`, `most`) <= workers <= `most`, and workers <= `most_large` while files are large on average.
- A lower goodput alone changes no number: a bad minute is bad for every number. For a minute after a bad sample fewer
  workers are not tried, because without any goodput fewer workers lose none.
- A period in which a host held files back is ignored. Its host gate limits that host.
- A trial ends after at most `most_samples` samples.

Pure: the time is part of an observation.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import field

from bulkup.helpers.quick_dataclass import dataclass
from bulkup.pipeline.options import FIRST_WORKERS
from bulkup.pipeline.tuning.goodput import Observation, Sample, Sampler, SamplerOptions
from bulkup.pipeline.tuning.least_latency import LeastLatency, LeastLatencyOptions, unhurried_seconds


@dataclass(frozen=True, slots=True)
class ControllerOptions:
    """The bounds and the pace of trials. Times in seconds; `gain` and `loss` are shares of the goodput.

    If no file has ended when all `first` workers have had one for `patience` seconds, there are `unanswered` workers.
    `gain` is the least that more workers must bring, `loss` the most that fewer may cost, both beyond `standard_errors`
    of the measurement. The pause between trials doubles from `first_pause` to `longest_pause`. No more workers are
    tried while small files take longer than `slow_file`, or `crowded` times their least latency, or while this
    process uses `whole_core`. If crowded files end the growth, the first trial of fewer comes after
    `crowded_pause`: fewer only save memory, and may cost goodput.
    """

    first: int = FIRST_WORKERS
    unanswered: int = 64
    patience: float = 0.01
    least: int = 4
    most_large: int = 64  # large files need bytes per second, not requests
    first_step: int = 4  # the first step is larger: with few workers a sample takes longest
    gain: float = 0.05
    loss: float = 0.03
    standard_errors: float = 2.0
    most_samples: int = 12
    least_before: int = 3
    first_pause: float = 5.0
    longest_pause: float = 60.0
    after_trouble: float = 60.0  # without trials of fewer workers
    in_groups: int = 256
    slow_file: float = 2.5
    crowded: float = 1.5
    crowded_pause: float = 15.0
    whole_core: float = 0.9
    least_latency: LeastLatencyOptions = field(default_factory=LeastLatencyOptions)
    other_link: float = 1.3  # a goodput this many times higher or lower, for `other_samples`, is no noise
    other_samples: int = 3


class Controller:
    """Takes a few observations per second and returns the wanted number of workers; `most` is the cap."""

    def __init__(self, most: int, options: ControllerOptions, sampler: SamplerOptions) -> None:
        self.workers = min(options.first, most)
        self._options = options
        self._most = most
        self._sampler = Sampler(sampler)
        self._noise = Noise()
        self._least = LeastLatency(options.least_latency)
        self._before: deque[float] = deque(maxlen=options.most_samples)
        self._after: list[float] = []
        self._other: list[float] = []
        self._base: int | None = None  # the number to return to, while another one is tried
        self._up = self._growing = self._untried = self._starting = True
        self._grouped = False
        self._waiting_since = math.inf  # all workers have a file, and none has ended
        self._next_try = self._fewer_from = -math.inf
        self._pause = options.first_pause
        self._round_trip: float | None = None

    def observe(self, seen: Observation) -> int:
        """Take an observation; return the wanted number of workers."""
        self._round_trip = seen.round_trip
        if self._starting:
            self._start(seen)
        if seen.in_groups and not self._grouped:
            self._grouped = True
            self._go_to(self._floor, seen.now)
        sample = self._sampler.add(seen, self.workers, at_first=self._growing)
        if sample is not None:
            if sample.calm and sample.full and not self._sampler.large:
                self._least.add(seen.now, self._sampler.latency, self._sampler.size)
            self._weigh(sample, seen.now)
        return self.workers

    def _start(self, seen: Observation) -> None:
        """Let more workers begin while no file has ended, and learn how long the first files took."""
        if seen.files or seen.failed or seen.bytes:
            self._starting = False
            if seen.files and self.workers > self._options.first:
                latency = seen.spent / (seen.files + seen.failed)
                self._least.add(seen.now, latency, seen.bytes / seen.files)
                self._sampler.restart(seen.now, latency)
        elif seen.held or seen.busy < self.workers:
            self._waiting_since = math.inf
        else:
            self._waiting_since = min(self._waiting_since, seen.now)
            more = min(self._options.unanswered, self._most)
            if seen.now - self._waiting_since >= self._options.patience and more > self.workers:
                self._untried = False
                self._set(more, seen.now)

    def _weigh(self, sample: Sample, now: float) -> None:
        if self.workers > self._cap:
            self._go_to(self._cap, now)
        elif self.workers < self._floor:
            self._go_to(self._floor, now)
        elif not sample.calm or not sample.full:
            self._break_off(sample, now)
        elif self._base is None:
            self._hold(sample.rate, now)
        else:
            self._judge(sample.rate, self._base, now)

    @property
    def _cap(self) -> int:
        return min(self._options.most_large, self._most) if self._sampler.large else self._most

    @property
    def _floor(self) -> int:
        return min(self._options.in_groups if self._grouped else self._options.least, self._cap)

    def _go_to(self, workers: int, now: float) -> None:
        """Hold another number without a trial."""
        self._base, self._growing = None, self._growing and not self._grouped
        self._before.clear()
        self._set(workers, now)

    def _hold(self, rate: float, now: float) -> None:
        self._noise.add(self._before, rate)
        if not self._is_other(rate):
            self._other.clear()
            self._before.append(rate)
        else:
            self._other.append(rate)
            if len(self._other) < self._options.other_samples:
                return
            self._begin_anew(now)
        if self._growing and self._crowded:
            self._growing, self._next_try = False, now + self._options.crowded_pause
        elif self._growing:
            self._grow(now)
        elif now >= self._next_try and len(self._before) >= self._options.least_before:
            self._try(now)

    def _is_other(self, rate: float) -> bool:
        """Return whether the goodput differs more from the usual one than noise explains."""
        if self._growing or not self._before:
            return False
        usual, far = _mean(self._before), max(self._options.other_link, 1 + 4 * self._noise.deviation)
        return rate > usual * far or rate * far < usual

    def _begin_anew(self, now: float) -> None:
        """Drop the samples of the link as it was before."""
        self._least.forget()
        if self._other[-1] < self._before[-1]:
            self._fewer_from = now + self._options.after_trouble
        self._before.clear()
        self._before.extend(self._other)
        self._other.clear()
        self._up, self._pause, self._next_try = True, self._options.first_pause, now

    def _grow(self, now: float) -> None:
        if not self._busy_core:
            self._try(now)

    def _try(self, now: float) -> None:
        more, fewer = self._more(), self._fewer(now)
        target = more if (self._up and more > self.workers) or fewer == self.workers else fewer
        if target != self.workers:
            self._up, self._base = target > self.workers, self.workers
            self._untried = False
            self._after.clear()
            self._set(target, now)

    def _more(self) -> int:
        times = self._options.first_step if self._untried else 2
        no_more = self._crowded or self._busy_core
        return self.workers if no_more else max(self.workers, min(times * self.workers, self._cap))

    @property
    def _busy_core(self) -> bool:
        return not self._sampler.large and self._sampler.cores >= self._options.whole_core

    @property
    def _crowded(self) -> bool:
        """Say whether small files wait for one another, or long for the link. More workers would not help then."""
        if self._sampler.large:
            return False
        most = min(self._options.slow_file, self._options.crowded * self._least.seconds)
        if self._growing and self._round_trip is not None:
            # The first files began together, so the least that they took may be long already.
            most = min(most, unhurried_seconds(self._round_trip, self._sampler.size))
        return self._sampler.latency > most

    def _fewer(self, now: float) -> int:
        least = min(self._floor, self.workers)
        return self.workers if now < self._fewer_from else max(self.workers // 2, least)

    def _judge(self, rate: float, base: int, now: float) -> None:
        self._noise.add(self._after, rate)
        self._after.append(rate)
        better = verdict(self._before, self._after, self._noise.deviation, self._options, up=self._up)
        if better:
            self._base, self._pause, self._next_try = None, self._options.first_pause, now
            self._before.clear()
            self._before.extend(self._after)
            if self._growing and self._crowded:
                self._growing, self._next_try = False, now + self._options.crowded_pause
            elif self._growing:
                self._grow(now)
        elif better is False:
            self._return(base, now)

    def _break_off(self, sample: Sample, now: float) -> None:
        """End a trial whose samples say nothing."""
        if not sample.calm:
            self._before.clear()
            self._fewer_from = now + self._options.after_trouble
        if self._base is not None:
            self._return(self._base, now)

    def _return(self, base: int, now: float) -> None:
        self._base, self._growing = None, False
        self._up = not self._up
        self._next_try = now + self._pause
        self._pause = min(self._options.longest_pause, 2 * self._pause)
        self._set(base, now)

    def _set(self, workers: int, now: float) -> None:
        self.workers = workers
        self._other.clear()
        self._sampler.restart(now)


class Noise:
    """The variation of the goodput between two samples with the same number of workers, as a share of the goodput."""

    def __init__(self) -> None:
        self._variance = 0.15**2

    @property
    def deviation(self) -> float:
        """Return the standard deviation."""
        return max(0.02, math.sqrt(self._variance))

    def add(self, earlier: Sequence[float], rate: float) -> None:
        """Take the rate of a sample; `earlier` are the rates before it, with the same number of workers."""
        if earlier:
            step = 2 * (rate - earlier[-1]) / (rate + earlier[-1])
            self._variance += 0.15 * (min(step**2, 1.0) / 2 - self._variance)


def verdict(
    before: Sequence[float], after: Sequence[float], deviation: float, options: ControllerOptions, *, up: bool
) -> bool | None:
    """Return whether another number of workers is better, None while more samples are needed to decide.

    `before` and `after` are the rates of samples with the number in use and with the other one. More workers are better
    if they bring `gain`, fewer if they cost less than `loss`. After `most_samples` the mean decides; more workers must
    then bring more than the error of the measurement, too.
    """
    change = _mean(after) / _mean(before) - 1 if before else 0.0
    error = deviation * math.sqrt(1 / max(1, len(before)) + 1 / len(after))
    needed = options.gain if up else -options.loss
    if abs(change - needed) > options.standard_errors * error:
        return change > needed
    if len(after) < options.most_samples:
        return None
    return change > (max(needed, error) if up else needed)


def _mean(rates: Collection[float]) -> float:
    return sum(rates) / len(rates)
