"""A simulated link with a store and workers, in simulated time: the test bed of the controller."""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from bulkup.model.problems import Problem, ProblemKind
from bulkup.pipeline.options import LARGE, RetryPolicy
from bulkup.pipeline.policy.host_gate import GateOptions, HostGate
from bulkup.pipeline.tuning.goodput import Observation

TICK = 0.05
FIRST_TICK = 0.005  # until the first file has ended
KIB, MIB = 1024, 1024**2
CHUNK = MIB
PACKET = 1448


@dataclass(frozen=True)
class Link:
    """Bytes and seconds. `cpu` is the processor time of a file, one file after another. `per_connection` is the highest
    rate of one connection (its window). `noise` is the variation from one half second to the next.

    The host answers 503 to requests beyond `bears` at a time. `share(now)` is the available share of the rate.

    With a `loss`, the share of packets that get lost, connections behave as TCP: slow start, then a window that grows
    by a packet per round trip. It shrinks after a loss, and when the queue before the link is longer than a round trip.
    """

    rate: float
    rtt: float
    size: Callable[[random.Random], int]
    server: float = 0.0
    cpu: float = 0.0
    per_connection: float = math.inf
    noise: float = 0.05
    loss: float | None = None
    bears: float = math.inf
    share: Callable[[float], float] = lambda now: 1.0
    fails: Callable[[float], float] = lambda now: 0.0


@dataclass
class Tcp:
    """The windows of a connection, in bytes: the bytes sent per round trip, and where slow start ends."""

    window: float = 10 * PACKET
    threshold: float = math.inf

    def round(self, sent: int, *, lost: bool, rest: bool) -> None:
        """Adapt after a round trip in which `sent` bytes left; `rest` says that more wait."""
        if lost:
            self.threshold = self.window = max(2.0 * PACKET, 0.7 * self.window)
        elif rest and self.window < self.threshold:
            self.window += sent
        elif rest:
            self.window += PACKET


@dataclass
class World:
    """Runs workers over a link until a given time, and counts their work."""

    link: Link
    seed: int = 0
    now: float = 0.0
    files: int = 0
    failed: int = 0
    bytes: int = 0
    throttled: int = 0
    busy: int = 0
    held: int = 0
    under_way: int = 0
    spent: float = 0.0
    supply: Callable[[float], bool] = lambda now: True
    _events: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _idle: list[Tcp] = field(default_factory=list)
    _number: int = 0
    _link_free: float = 0.0
    _cpu_free: float = 0.0
    _weather: tuple[int, float] = (-1, 1.0)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.gate = HostGate(256, 128, RetryPolicy(), GateOptions())

    def run(self, until: float, workers: Callable[[Observation], int] | int) -> float:
        """Run and return the work done: bytes, plus 128 KiB for each file."""
        files, size = self.files, self.bytes
        fixed = workers if isinstance(workers, int) else None
        wanted = fixed or workers(self.seen())  # type: ignore[operator]
        while self.now < until:
            tick = self.now + (TICK if self.files or self.failed else FIRST_TICK)
            self._fill(wanted)
            while self._events and self._events[0][0] <= tick:
                self.now, _, happen = heapq.heappop(self._events)
                happen()
                self._fill(wanted)
            self.now = tick
            wanted = fixed or workers(self.seen())  # type: ignore[operator]
        return self.bytes - size + (self.files - files) * 128 * KIB

    def seen(self) -> Observation:
        rtt = self.link.rtt if self.files or self.now > self.link.rtt else None
        return Observation(
            self.now, self.files, self.failed, self.bytes, self.busy, self.held, self.spent, round_trip=rtt
        )

    def _fill(self, wanted: int) -> None:
        while self.busy < wanted and self.supply(self.now):
            if not self.gate.room(self.now):
                self.held = 1
                return
            self.held = 0
            self.busy += 1
            self.gate.begin()
            self._begin()

    def _begin(self) -> None:
        size, begun, now = self.link.size(self.random), self.now, self.now
        self._cpu_free = max(now, self._cpu_free) + self.link.cpu * self._factor()
        self.under_way += 1
        if self.under_way > self.link.bears:
            self.throttled += 1
            self._later(now + self.link.rtt, lambda: self._end(begun, Problem(ProblemKind.THROTTLED, "slow down"), 0))
        elif self.random.random() < self.link.fails(now):
            self._later(now + self.link.rtt, lambda: self._end(begun, Problem(ProblemKind.TRANSIENT, "it broke"), 0))
        elif self.link.loss is not None:
            connection, opens_at = self._idle.pop() if self._idle else Tcp(), max(now, self._cpu_free)
            opens_at += self.link.rtt if connection.threshold == math.inf and connection.window == 10 * PACKET else 0.0
            self._later(opens_at, lambda: self._send_window(connection, size, size, begun))
        else:
            self._send(size, size, begun)

    def _send(self, left: int, size: int, begun: float) -> None:
        part, begins = min(left, CHUNK), max(self.now, self._cpu_free)
        share = self.link.share(self.now)
        if not share:
            self._later(self.now + 1.0, lambda: self._send(left, size, begun))
            return
        self._link_free = max(begins, self._link_free) + part / (self.link.rate * share) * self._factor()
        sent_at = max(self._link_free, begins + part / self.link.per_connection)

        def gone() -> None:
            if size > LARGE:
                self.bytes += part
            if left > part:
                self._send(left - part, size, begun)
            else:
                self._later(self.now + self.link.rtt + self.link.server, lambda: self._end(begun, None, size))

        self._later(sent_at, gone)

    def _send_window(self, connection: Tcp, left: int, size: int, begun: float) -> None:
        """Send as much as the window of the connection allows, and the rest a round trip later."""
        assert self.link.loss is not None
        part, now = min(left, int(connection.window)), self.now
        waited = max(0.0, self._link_free - now)
        self._link_free = max(now, self._link_free) + part / (self.link.rate * (self.link.share(now) or 1e-6))
        lost = self.random.random() > (1 - self.link.loss) ** (part / PACKET) or waited > self.link.rtt
        connection.round(part, lost=lost, rest=left > part)
        # A lost packet is sent again a round trip later; one of the last packets is missed only after a timeout.
        arrived = self._link_free + self.link.rtt * (2 if lost else 1) + (0.2 if lost and part < 4 * PACKET else 0.0)
        if size > LARGE:
            self.bytes += part

        def acknowledged() -> None:
            if left > part:
                self._send_window(connection, left - part, size, begun)
            else:
                self._idle.append(connection)
                self._end(begun, None, size)

        self._later(arrived + (self.link.server if left == part else 0.0), acknowledged)

    def _end(self, begun: float, problem: Problem | None, size: int) -> None:
        self.busy -= 1
        self.under_way -= 1
        self.spent += self.now - begun
        self.gate.end(problem, begun, self.now, 0.5)
        if problem is None:
            self.files += 1
            self.bytes += 0 if size > LARGE else size
        else:
            self.failed += 1

    def _later(self, at: float, happen: Callable[[], None]) -> None:
        self._number += 1
        heapq.heappush(self._events, (at, self._number, happen))

    def _factor(self) -> float:
        """Return the factor by which everything is slower now; constant for half a second."""
        spell = int(self.now * 2)
        if spell != self._weather[0]:
            self._weather = spell, max(0.2, self.random.gauss(1.0, self.link.noise))
        return self._weather[1]


def fixed(size: int) -> Callable[[random.Random], int]:
    return lambda _: size


def log_normal(median: int, spread: float) -> Callable[[random.Random], int]:
    return lambda chance: int(median * math.exp(chance.gauss(0.0, spread)))


def seconds_for(link: Link, files: int, seed: int, workers: Callable[[Observation], int] | int) -> float:
    """Return the seconds in which a run of this many files is over."""
    world = World(link, seed)
    world.supply = lambda _: world.files + world.busy < files
    while world.files < files:
        world.run(world.now + TICK, workers)
    return world.now


def best(link: Link, most: int, seconds: float = 10.0) -> float:
    """Return the work per second of the best fixed number of workers."""
    rates = []
    workers = 4
    while workers <= most:
        world = World(link, seed=1)
        world.run(seconds / 2, workers)
        rates.append(world.run(1.5 * seconds, workers) / seconds)
        workers *= 4
    return max(rates)
