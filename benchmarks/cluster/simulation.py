"""A coordinator and its workers in simulated time: `python -m benchmarks.cluster simulation`.

The rules are the real ones (`bulkup.cluster.file_groups`, `bulkup.cluster.assignments`). The coordinator is one
processor that works in order of arrival: it finds files, gives groups to workers, and takes in their records. A worker
has a processor and a link of its own. It records the intent of each call at the coordinator, calls the service, records
the tickets, sends the files, and reports them.

As in `bulkup.cluster.worker_link`, two loops of calls carry the messages of each worker: one takes what has gathered
for the worker there, the other waits on the worker until it has something, and a while longer for more.
"""

from __future__ import annotations

import argparse
import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from bulkup.cluster.assignments import ASK, Assigned, Assignments
from bulkup.cluster.cluster_options import ClusterOptions
from bulkup.cluster.file_groups import Load, least_loaded, take_group
from bulkup.model.files import FoundFile, Identity, Source
from bulkup.model.items import Item

US = 1e-6
_SENT_TOGETHER = 16  # files whose outcomes the simulation reports at the same instant
_FOUND_TOGETHER = 256  # files that the scanner passes on at once
Files = Sequence[Assigned]


@dataclass(frozen=True)
class Costs:
    """CPU seconds of the coordinator: to find a file and give it away, to record one of the three steps of a file, and
    for a call of a worker."""

    found: float
    step: float
    call: float

    @property
    def file(self) -> float:
        """Return the CPU seconds of a file without calls."""
        return self.found + 3 * self.step


@dataclass(frozen=True)
class Machine:
    """A worker. `cpu` are CPU seconds of a file, `link` are bytes per second, `api` the seconds of a call of the
    service, and `message` those of a message in one direction. A call is about `batch` files, and there are `calls` at
    a time."""

    cpu: float = 200 * US
    link: float = 1e9 / 8
    message: float = 0.0005
    api: float = 0.05
    batch: int = 100
    age: float = 0.25
    calls: int = 4

    def files_per_second(self, size: int) -> float:
        """Return the files of `size` bytes per second that it sends without waiting for a coordinator."""
        return min(1 / self.cpu, self.link / size)


MEASURED = Costs(found=17 * US, step=11 * US, call=900 * US)  # by `memory` and `messages`


@dataclass
class Coordinator:
    """The processor of the coordinator: when it is free, how long it worked, and the longest time that work waited."""

    free: float = 0.0
    busy: float = 0.0
    longest_wait: float = 0.0

    def work(self, now: float, seconds: float) -> float:
        """Do work after all earlier work, and return when it is done."""
        self.longest_wait = max(self.longest_wait, self.free - now)
        self.free = max(now, self.free) + seconds
        self.busy += seconds
        return self.free


@dataclass
class Worker:
    """A worker: messages for it and from it, files that lack a ticket, calls under way, and when its processor and its
    link are free. `settled` counts its files, and `noted` those that its speed knows."""

    epoch: int
    load: Load = field(default_factory=Load)
    inbox: list[tuple[str, Files]] = field(default_factory=list)
    outbox: list[tuple[str, Files]] = field(default_factory=list)
    pushing: bool = False
    pulling: bool = False
    unasked: list[Assigned] = field(default_factory=list)
    arrived: float = 0.0
    calls: int = 0
    cpu_free: float = 0.0
    link_free: float = 0.0
    settled: int = 0
    noted: int = 0


@dataclass
class World:
    """A run over files of one size, without end, with `workers` equal machines.

    `most_held` is the most files between the scanner and their rows on disk at any time. `groups` were given since the
    warm-up.
    """

    costs: Costs
    workers: int
    size: int
    machine: Machine = field(default_factory=Machine)
    options: ClusterOptions = field(default_factory=ClusterOptions)
    now: float = 0.0
    settled: int = 0
    groups: int = 0
    most_held: int = 0
    coordinator: Coordinator = field(default_factory=Coordinator)
    _events: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _number: int = 0
    _finding: bool = False

    def __post_init__(self) -> None:
        self._item = Item(FoundFile(Source(b"/data"), b"a", Identity(self.size, 1, 1, 1, 1)))
        self._files = Assignments()
        self._all = [Worker(number + 1) for number in range(self.workers)]
        self._linger = max(self.options.linger, self.options.linger_per_worker * self.workers)

    def rate(self, seconds: float, warm_up: float) -> float:
        """Run, and return the files per second after the warm-up. The figures of the coordinator begin with it."""
        self._find()
        self._look()
        self._until(warm_up)
        before, self.groups = self.settled, 0
        self.coordinator = replace(self.coordinator, busy=0.0, longest_wait=0.0)
        self._until(warm_up + seconds)
        return (self.settled - before) / seconds

    def use(self, seconds: float) -> float:
        """Return the part of its time that the coordinator worked in the last `seconds`."""
        return self.coordinator.busy / seconds

    def _until(self, end: float) -> None:
        while self._events and self._events[0][0] <= end:
            self.now, _, happen = heapq.heappop(self._events)
            happen()
        self.now = end

    def _later(self, at: float, happen: Callable[[], None]) -> None:
        self._number += 1
        heapq.heappush(self._events, (at, self._number, happen))

    # The coordinator.

    def _find(self) -> None:
        """Find some files while the budget has room, as the scanner does between other work."""
        held = self._files.given + len(self._files.waiting)
        self.most_held = max(self.most_held, held)
        count = min(_FOUND_TOGETHER, self.options.in_flight - held)
        if self._finding or count <= 0:
            return
        self._finding = True

        def found() -> None:
            self._finding = False
            for _ in range(count):
                self._files.add(ASK, self._item)
            self._give()
            self._find()

        self._later(self.coordinator.work(self.now, count * self.costs.found), found)

    def _give(self) -> None:
        loads = [worker.load for worker in self._all]
        while self._files.waiting and (place := least_loaded(loads, self.options)) is not None:
            worker = self._all[place]
            group = take_group(self._files.waiting, worker.load, self.options, self.workers)
            self._files.give(worker.epoch, group)
            worker.load.files += len(group)
            worker.load.bytes += self.size * len(group)
            self.groups += 1
            self._tell(worker, "files", group)

    def _tell(self, worker: Worker, kind: str, files: Files) -> None:
        worker.inbox.append((kind, files))
        self._push(worker)

    def _push(self, worker: Worker) -> None:
        if worker.pushing or not worker.inbox:
            return
        worker.pushing = True
        messages, worker.inbox = worker.inbox, []
        sent = self.coordinator.work(self.now, self.costs.call)
        self._later(sent + self.machine.message, lambda: self._take(worker, messages))

        def returned() -> None:
            worker.pushing = False
            self._push(worker)

        self._later(sent + 2 * self.machine.message, returned)

    def _record(self, worker: Worker, messages: Sequence[tuple[str, Files]]) -> None:
        files = sum(len(about) for _, about in messages)
        done = self.coordinator.work(self.now, self.costs.call + self.costs.step * files)
        self._later(done, lambda: self._recorded(worker, messages))

    def _recorded(self, worker: Worker, messages: Sequence[tuple[str, Files]]) -> None:
        for kind, files in messages:
            if kind == "outcomes":
                for file in files:
                    self._files.settle(worker.epoch, file.number)
                self.settled += len(files)
                worker.settled += len(files)
                worker.load.files -= len(files)
                worker.load.bytes -= len(files) * self.size
            self._tell(worker, kind, files)
        self._give()
        self._find()
        self._later(self.now + self.machine.message, lambda: self._pulled(worker))

    def _look(self) -> None:
        for worker in self._all:
            files = worker.settled - worker.noted
            worker.load.note(files, files * self.size, self.options.look)
            worker.noted = worker.settled
        self._give()
        self._later(self.now + self.options.look, self._look)

    # A worker.

    def _take(self, worker: Worker, messages: Sequence[tuple[str, Files]]) -> None:
        for kind, files in messages:
            if kind == "files":
                worker.arrived = worker.arrived if worker.unasked else self.now
                worker.unasked += files
            elif kind == "asked":
                self._later(self.now + self.machine.api, lambda files=files: self._ticketed(worker, files))  # type: ignore[misc]
            elif kind == "ticketed":
                self._send(worker, files)
        self._ask(worker)

    def _ask(self, worker: Worker) -> None:
        """Begin calls about full groups, and about all files that have waited long enough."""
        while worker.unasked and worker.calls < self.machine.calls:
            due = worker.arrived + self.machine.age
            if len(worker.unasked) < self.machine.batch and self.now < due:
                self._later(due, lambda: self._ask(worker))
                return
            files, worker.unasked = worker.unasked[: self.machine.batch], worker.unasked[self.machine.batch :]
            worker.arrived = self.now
            worker.calls += 1
            self._report(worker, "asked", files)

    def _ticketed(self, worker: Worker, files: Files) -> None:
        worker.calls -= 1
        self._report(worker, "ticketed", files)
        self._ask(worker)

    def _send(self, worker: Worker, files: Files) -> None:
        for start in range(0, len(files), _SENT_TOGETHER):
            some = files[start : start + _SENT_TOGETHER]
            worker.cpu_free = max(self.now, worker.cpu_free) + self.machine.cpu * len(some)
            worker.link_free = max(self.now, worker.link_free) + self.size * len(some) / self.machine.link
            sent = max(worker.cpu_free, worker.link_free)
            self._later(sent, lambda some=some: self._report(worker, "outcomes", some))  # type: ignore[misc]

    def _report(self, worker: Worker, kind: str, files: Files) -> None:
        worker.outbox.append((kind, files))
        self._pull(worker)

    def _pull(self, worker: Worker) -> None:
        """Answer the call that waits on the worker, once there is something, and after a while for more."""
        if worker.pulling or not worker.outbox:
            return
        worker.pulling = True

        def collect() -> None:
            messages, worker.outbox = worker.outbox, []
            self._later(self.now + self.machine.message, lambda: self._record(worker, messages))

        self._later(self.now + self._linger, collect)

    def _pulled(self, worker: Worker) -> None:
        worker.pulling = False
        self._pull(worker)


def main(given: list[str]) -> int:
    """Print a table: files per second, those of the workers alone, the use of the coordinator, and files in flight."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cluster simulation", description=__doc__)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 4, 10, 20, 50, 100])
    parser.add_argument("--sizes", type=int, nargs="+", default=[10, 100, 1024, 2048, 16384], help="KiB of a file")
    parser.add_argument("--found", type=float, default=MEASURED.found / US, help="CPU us to find and give a file")
    parser.add_argument("--step", type=float, default=MEASURED.step / US, help="CPU us of each of three records")
    parser.add_argument("--call", type=float, default=MEASURED.call / US, help="CPU us of a call of a worker")
    parser.add_argument("--link", type=float, default=1000.0, help="Mbit/s of each worker")
    arguments = parser.parse_args(given)
    costs = Costs(arguments.found * US, arguments.step * US, arguments.call * US)
    machine = Machine(link=arguments.link * 1e6 / 8)
    print("| workers | size | files/s | alone | coordinator | held |\n|---|---|---|---|---|---|")
    for size in arguments.sizes:
        for workers in arguments.workers:
            world = World(costs, workers, size * 1024, machine)
            rate, most = world.rate(10.0, 20.0), workers * machine.files_per_second(size * 1024)
            figures = f"{rate:,.0f} | {most:,.0f} | {world.use(10.0):.0%} | {world.most_held:,}"
            print(f"| {workers} | {size:,} KiB | {figures} |", flush=True)
    return 0
