"""Hosts that limit requests, and workers that send files to them through a gate, in simulated time."""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from bulkup.model.history import FileHistory
from bulkup.model.problems import Problem, ProblemKind
from bulkup.pipeline.options import RetryPolicy
from bulkup.pipeline.policy.host_gate import GateOptions, HostGate
from bulkup.pipeline.policy.retry import Again, after_attempt

POLICY = RetryPolicy(retry_for=100_000.0)


class Limit(Protocol):
    """Decides on each request that arrives at a host."""

    def admits(self, now: float, under_way: int) -> bool: ...

    def retry_after(self, now: float) -> float | None: ...


@dataclass
class Rate:
    """A leaky bucket, as nginx has it: `rate` requests per second, and `burst` more at once.

    Refused requests are not counted, unless `counts_refused`. `bans` refuses everything for `asks` seconds.
    """

    rate: float
    burst: float = 0.0
    asks: float | None = None
    bans: bool = False
    counts_refused: bool = False
    level: float = 0.0
    last: float = -math.inf
    banned_until: float = -math.inf

    def admits(self, now: float, under_way: int) -> bool:
        if now < self.banned_until:
            return False
        level = max(0.0, self.level - (now - self.last) * self.rate) + 1 if self.last > -math.inf else 1.0
        admitted = level <= self.burst + 1 + 1e-9
        if admitted or self.counts_refused:
            self.level, self.last = min(level, self.burst + 2), now
        if not admitted and self.bans:
            self.banned_until = now + (self.asks or 1.0)
        return admitted

    def retry_after(self, now: float) -> float | None:
        return self.asks


@dataclass
class Window:
    """`most` requests in each window of `seconds`. With `tells`, a refusal names the rest of the window."""

    most: int
    seconds: float
    tells: bool = False
    number: int = -1
    used: int = 0

    def admits(self, now: float, under_way: int) -> bool:
        if int(now / self.seconds) != self.number:
            self.number, self.used = int(now / self.seconds), 0
        self.used += 1
        return self.used <= self.most

    def retry_after(self, now: float) -> float | None:
        # In whole seconds, as the header has it.
        return float(math.ceil(self.seconds - now % self.seconds)) if self.tells else None


@dataclass
class AtOnce:
    """At most `most` requests at the same time."""

    most: int
    asks: float | None = None

    def admits(self, now: float, under_way: int) -> bool:
        return under_way < self.most

    def retry_after(self, now: float) -> float | None:
        return self.asks


@dataclass
class ByChance:
    """Refuses a share of the requests at any rate, as a host does that others keep busy."""

    share: float
    asks: float | None = None
    chance: random.Random = field(default_factory=lambda: random.Random(0))

    def admits(self, now: float, under_way: int) -> bool:
        return self.chance.random() >= self.share

    def retry_after(self, now: float) -> float | None:
        return self.asks


@dataclass
class Unlimited:
    """Takes everything."""

    def admits(self, now: float, under_way: int) -> bool:
        return True

    def retry_after(self, now: float) -> float | None:
        return None


@dataclass
class LimitedHost:
    """Workers send files to a host with a limit, until a time. `stored` are the times of accepted requests.

    A request takes `latency` seconds, a refusal a quarter of that and at most 1 ms. The loop wakes up to `late` seconds
    after the time it asked for. Requests leave in batches, every `batch` seconds, as those of sending processes do.
    """

    limit: Limit
    workers: int = 32
    latency: float = 0.001
    late: float = 0.0
    batch: float = 0.0
    demand: float = math.inf  # files per second
    tests: bool = True
    seed: int = 0
    gate: HostGate = field(init=False)
    now: float = 0.0
    attempts: list[float] = field(default_factory=list)
    stored: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.gate = HostGate(self.workers, 128, POLICY, GateOptions(), tests=self.tests)
        self._random = random.Random(self.seed)
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._number = self._under_way = self._busy = 0
        self._retries: list[tuple[float, int, FileHistory]] = []
        self._made = 0.0
        self._wake_at = math.inf
        self.gate.on_room(lambda: None)

    def run(self, seconds: float) -> None:
        """Send for a number of seconds."""
        end = self.now + seconds
        self._fill()
        while self._events and self._events[0][0] <= end:
            self.now, _, happen = heapq.heappop(self._events)
            happen()
            self._fill()
        self.now = end

    def rate(self, begin: float, end: float) -> float:
        """Return the files stored per second between two times."""
        return sum(begin <= time < end for time in self.stored) / (end - begin)

    def tries(self, begin: float = 0.0) -> float:
        """Return the attempts per stored file since a time."""
        return sum(time >= begin for time in self.attempts) / max(1, sum(time >= begin for time in self.stored))

    def _fill(self) -> None:
        while self._busy < self.workers and (self._due() or self._wanted()):
            if not self.gate.room(self.now):
                break
            file = heapq.heappop(self._retries)[2] if self._due() else self._new()
            self._busy += 1
            self.gate.begin()
            self.attempts.append(self.now)
            self._send(file)
        times = [self.gate.next_room(self.now), self._retries[0][0] if self._retries else math.inf]
        if self.demand < math.inf:
            times.append((self._made + 1) / self.demand)
        wake = min((time for time in times if time > self.now), default=math.inf)
        if wake < self._wake_at - 1e-9:
            self._wake_at = wake
            self._later(wake + self._random.random() * self.late, self._woken)

    def _woken(self) -> None:
        if self.now >= self._wake_at:
            self._wake_at = math.inf

    def _due(self) -> bool:
        return bool(self._retries) and self._retries[0][0] <= self.now

    def _wanted(self) -> bool:
        return self.demand == math.inf or self._made + 1 <= self.demand * self.now + 1e-9

    def _new(self) -> FileHistory:
        self._made += 1
        return FileHistory()

    def _send(self, file: FileHistory) -> None:
        begun, leaves = self.now, self.now
        if self.batch:
            leaves = math.ceil(self.now / self.batch) * self.batch
        self._later(leaves + self.latency / 4, lambda: self._arrive(file, begun))

    def _arrive(self, file: FileHistory, begun: float) -> None:
        if self.limit.admits(self.now, self._under_way):
            self._under_way += 1
            factor = self._random.uniform(0.5, 1.0)
            self._later(self.now + self.latency * factor, lambda: self._end(file, begun, None))
        else:
            problem = Problem(ProblemKind.THROTTLED, "slow down", self.limit.retry_after(self.now))
            self._later(self.now + min(0.001, self.latency / 4), lambda: self._end(file, begun, problem))

    def _end(self, file: FileHistory, begun: float, problem: Problem | None) -> None:
        self._busy -= 1
        self.gate.end(problem, begun, self.now, self._random.random())
        if problem is None:
            self._under_way -= 1
            self.stored.append(self.now)
            return
        file.note(problem, self.now)
        decision = after_attempt(problem, file, POLICY, self.now, self._random.random())
        assert isinstance(decision, Again)
        self._number += 1
        heapq.heappush(self._retries, (self.gate.retries.retry_at(decision.at, self.now), self._number, file))

    def _later(self, at: float, happen: Callable[[], None]) -> None:
        self._number += 1
        heapq.heappush(self._events, (at, self._number, happen))
