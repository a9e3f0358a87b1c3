"""A Dask scheduler and its workers as processes, in namespaces or on the loopback, with their memory and CPU time."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import psutil

from benchmarks.cluster.network import HERE, Node
from benchmarks.cluster.site import Started, start

_SCHEDULER = (sys.executable, "-m", "distributed.cli.dask_scheduler", "--no-dashboard")
_WORKER = (sys.executable, "-m", "distributed.cli.dask_worker", "--no-dashboard", "--no-nanny", "--nthreads", "1")
_PATIENCE = 60.0
_WORKERS_END = 5.0  # seconds in which a worker notices that its scheduler has ended
_MIB = 1024**2


@dataclass(slots=True)
class Use:
    """The most memory of a process in MiB, and its CPU seconds, as far as they were sampled."""

    peak: float = 0.0
    cpu: float = 0.0


@dataclass(slots=True)
class Fleet:
    """A running scheduler and workers. Use `fleet` to make one."""

    scratch: str
    at: Node
    nodes: tuple[Node, ...]
    port: int
    options: Sequence[str] = ()
    scheduler: Started | None = None
    workers: dict[int, Started] = field(default_factory=dict)
    logs: list[str] = field(default_factory=list)

    @property
    def address(self) -> str:
        """Return the address for `--cluster`."""
        return f"tcp://{self.at.address}:{self.port}"

    def start_scheduler(self) -> None:
        """Start the scheduler, and wait until it listens. Raises RuntimeError if it ends instead."""
        name = os.path.join(self.scratch, f"scheduler{len(self.logs)}")
        argv = [*_SCHEDULER, "--host", self.at.address, "--port", str(self.port)]
        self.scheduler = self._start(self.at, argv, name)
        self._wait_for(self.scheduler, "Scheduler at:")

    def start_worker(self, number: int) -> None:
        """Start a worker on its node, without waiting until it is registered."""
        node = self.nodes[number]
        name = os.path.join(self.scratch, f"worker{number}-{len(self.logs)}")
        local = os.path.join(self.scratch, f"dask{number}")
        argv = [*_WORKER, self.address, "--host", node.address, "--local-directory", local, *self.options]
        self.workers[number] = self._start(node, argv, name)

    def kill_worker(self, number: int) -> None:
        """Kill a worker without a warning."""
        _end(self.workers.pop(number), signal.SIGKILL)

    def restart_scheduler(self, how: signal.Signals = signal.SIGKILL) -> None:
        """End the scheduler and start it again at the same address, and with it the workers, which end without it."""
        assert self.scheduler is not None
        _end(self.scheduler, how)
        self.start_scheduler()
        time.sleep(_WORKERS_END)
        self.start_ended()

    def start_ended(self) -> int:
        """Start the workers again that have ended by themselves, as a batch system does, and return their number."""
        ended = [number for number, worker in self.workers.items() if worker.process.poll() is not None]
        for number in ended:
            self.start_worker(number)
        return len(ended)

    def pids(self) -> dict[str, int]:
        """Return the process ids by role."""
        roles = {f"worker {number + 1}": worker.process.pid for number, worker in self.workers.items()}
        return roles | ({"scheduler": self.scheduler.process.pid} if self.scheduler else {})

    def wait_for_workers(self) -> None:
        """Wait until every worker has said that it is registered. Raises RuntimeError if one ends instead."""
        for worker in self.workers.values():
            self._wait_for(worker, "Registered to:")

    def stop(self) -> None:
        """End all processes."""
        for worker in self.workers.values():
            _end(worker, signal.SIGKILL)
        if self.scheduler is not None:
            _end(self.scheduler, signal.SIGKILL)

    def _start(self, node: Node, argv: Sequence[str], name: str) -> Started:
        started = start(node, argv, name, {})
        self.logs += [started.out, started.err]
        return started

    def _wait_for(self, started: Started, text: str) -> None:
        until = time.monotonic() + _PATIENCE
        while text not in started.errors():
            if started.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"no {text!r}: {started.end_of_errors()}")
            time.sleep(0.05)


@contextlib.contextmanager
def fleet(
    scratch: str, at: Node = HERE, nodes: Sequence[Node] = (HERE,), options: Sequence[str] = ()
) -> Iterator[Fleet]:
    """Run a scheduler at one node, and a worker at each of the others, until the end of the block."""
    running = Fleet(scratch, at, tuple(nodes), _free_port() if at is HERE else 8786, options)
    try:
        running.start_scheduler()
        for number in range(len(nodes)):
            running.start_worker(number)
        running.wait_for_workers()
        yield running
    finally:
        running.stop()


class Meter:
    """The use of processes by role. `look` samples them; use it with `benchmarks.soaking.watching.Watch`."""

    def __init__(self) -> None:
        self._processes: dict[str, psutil.Process] = {}
        self.uses: dict[str, Use] = {}

    def watch(self, role: str, pid: int) -> None:
        """Sample this process under a role from now on."""
        self._processes[role] = psutil.Process(pid)
        self.uses[role] = Use()

    def look(self) -> None:
        """Take one sample of each."""
        for role, process in list(self._processes.items()):
            with contextlib.suppress(psutil.Error):
                use, times = self.uses[role], process.cpu_times()
                use.peak = max(use.peak, process.memory_info().rss / _MIB)
                use.cpu = times.user + times.system


def _end(started: Started, how: signal.Signals) -> None:
    started.process.send_signal(how)
    started.process.wait()


def _free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])
