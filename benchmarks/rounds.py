"""Run clients in turn on one tree, in several rounds, and keep the measurements of each run."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from benchmarks.clients.base import Client, Command, Job
from benchmarks.launching import launched
from benchmarks.store import Store

_T = TypeVar("_T")
PATIENCE = 20.0


@dataclass(frozen=True, slots=True)
class Taken:
    """The measurements of one run: seconds, CPU seconds of client and store, peak memory of the client in MiB."""

    seconds: float
    cpu: float
    store_cpu: float
    peak: float


@dataclass(slots=True)
class Runs:
    """All runs of one client, and its problem if there is one."""

    client: Client
    version: str = ""
    taken: list[Taken] = field(default_factory=list)
    problem: str = ""

    @classmethod
    def of(cls, client: Client) -> Runs:
        """Return a client without runs yet, with its version or the reason why it cannot run."""
        try:
            return cls(client, client.version())
        except LookupError as error:
            return cls(client, problem=f"not installed: {error.args[0]}")


@dataclass(frozen=True, slots=True)
class Course:
    """The runs to make: clients in turn, on this job and store. `inside` is a command that starts the others.

    A peer that took longer than `patience` seconds is not run again. A run may take `longest` seconds.
    """

    job: Job
    store: Store
    rounds: int
    inside: Sequence[str] = ()
    patience: float = PATIENCE
    longest: float = 300.0


def run_all(course: Course, clients: Sequence[Client], tell: Callable[[str], None]) -> list[Runs]:
    """Run every client in every round, and return the runs of each. Each round starts with another client."""
    every = [Runs.of(client) for client in clients]
    for runs in every:
        if runs.problem:
            tell(f"  ! {runs.client.label}: {runs.problem}")
    for number in range(course.rounds):
        for runs in rotated(every, number):
            if not runs.problem and not _too_slow(runs, course.patience):
                _run_once(course, runs)
                tell(_line(number, runs))
    return every


def rotated(items: Sequence[_T], by: int) -> list[_T]:
    """Return the items, starting with another one."""
    start = by % len(items) if items else 0
    return [*items[start:], *items[:start]]


def _too_slow(runs: Runs, patience: float) -> bool:
    return runs.client.peer and any(taken.seconds > patience for taken in runs.taken)


def _run_once(course: Course, runs: Runs) -> None:
    client = runs.client
    course.store.wipe()
    with tempfile.TemporaryDirectory(prefix="bulkup-bench-") as scratch:
        job = replace(course.job, scratch=scratch)
        try:
            runs.taken.append(_taken(course, client.command(job), job))
            runs.problem = (_missing(course) if client.stores else None) or client.check(job) or ""
        except (RuntimeError, ValueError, LookupError, OSError, subprocess.CalledProcessError) as error:
            runs.problem = str(error)


def _missing(course: Course) -> str | None:
    """Return the difference between the store's bytes and the tree's. Parts are separate files, so files are not
    counted."""
    _, kept = course.store.kept()
    tree = course.job.tree
    return None if kept == tree.bytes else f"the store has {kept:,} bytes of {tree.bytes:,}"


def _taken(course: Course, command: Command, job: Job) -> Taken:
    before = course.store.cpu()
    done = launched(command.argv, command.environ, job.scratch, course.inside, course.longest)
    share = command.share(done.said, job) if command.share else 1.0
    return Taken(share * done.seconds, share * done.cpu, share * (course.store.cpu() - before), done.peak)


def _line(number: int, runs: Runs) -> str:
    if runs.problem:
        return f"  round {number + 1}: {runs.client.name}: {runs.problem}"
    taken = runs.taken[-1]
    figures = f"{taken.seconds:.2f} s, {taken.cpu:.2f} s of CPU, {taken.peak:.0f} MiB"
    return f"  round {number + 1}: {runs.client.name}: {figures}"
