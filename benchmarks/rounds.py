"""Runs clients in turn on one tree, several rounds, and keeps what each run took."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import orjson

from benchmarks.clients.base import Client, Command, Job
from benchmarks.store import Store

_LAUNCH = os.path.join(os.path.dirname(__file__), "launch.py")
_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_LONGEST = 600.0
_T = TypeVar("_T")
# What a client is given of the environment: a user's own settings of any of these programs would be measured too.
_KEPT = ("PATH", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH")


@dataclass(frozen=True, slots=True)
class Taken:
    """What one run took: seconds, CPU seconds of the client and of the store, the client's peak memory in MiB."""

    seconds: float
    cpu: float
    store_cpu: float
    peak: float


@dataclass(slots=True)
class Runs:
    """All runs of one client, and what went wrong or is missing."""

    client: Client
    version: str = ""
    taken: list[Taken] = field(default_factory=list)
    problem: str = ""

    @classmethod
    def of(cls, client: Client) -> Runs:
        """Return no runs yet, of a client with its version, or of one that is not installed."""
        try:
            return cls(client, client.version())
        except LookupError as error:
            return cls(client, problem=f"not installed: {error.args[0]}")


@dataclass(frozen=True, slots=True)
class Course:
    """The runs to make: clients in turn, on this job, in this store, started with `inside` before the command.

    Another tool that took longer than `patience` seconds is not run again.
    """

    job: Job
    store: Store
    rounds: int
    inside: Sequence[str] = ()
    patience: float = 20.0


def run_all(course: Course, clients: Sequence[Client], tell: Callable[[str], None]) -> list[Runs]:
    """Run every client in every round, each round beginning with another one, and return the runs of each."""
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
    """Return the items, beginning with another one."""
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
            runs.taken.append(execute(client.command(job), job, course.store, course.inside))
            runs.problem = (_missing(course) if client.stores else None) or client.check(job) or ""
        except subprocess.TimeoutExpired:
            runs.problem = f"took longer than {_LONGEST:.0f} seconds"
        except (RuntimeError, ValueError, subprocess.CalledProcessError) as error:
            runs.problem = str(error)


def _missing(course: Course) -> str | None:
    """Return how the store's bytes differ from the tree's. Parts are files of their own, so files are not counted."""
    _, kept = course.store.kept()
    tree = course.job.tree
    return None if kept == tree.bytes else f"the store has {kept:,} bytes of {tree.bytes:,}"


def execute(command: Command, job: Job, store: Store, inside: Sequence[str]) -> Taken:
    """Run a command as a whole process. Raises RuntimeError with the end of its output where it fails."""
    before = store.cpu()
    result, output = os.path.join(job.scratch, "taken.json"), os.path.join(job.scratch, "output")
    argv = [*inside, sys.executable, "-IS", _LAUNCH, result, *command.argv]
    with open(output, "wb") as file:
        process = subprocess.Popen(
            argv, env=_environment(command.environ, job), cwd=_ROOT, stdout=file, stderr=file, start_new_session=True
        )
        _wait(process)
    said = _read(output)
    told = orjson.loads(_read(result) or "{}")
    if told.get("status") != 0:
        raise RuntimeError(f"failed with {told.get('status')}: {' '.join(said[-300:].split())}")
    share = command.share(said, job) if command.share else 1.0
    return Taken(share * told["seconds"], share * told["cpu"], share * (store.cpu() - before), told["peak"])


def _wait(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(_LONGEST)
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise


def _environment(given: Mapping[str, str], job: Job) -> dict[str, str]:
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return {**kept, "HOME": job.scratch, "XDG_STATE_HOME": job.scratch, **given}


def _read(path: str) -> str:
    if not os.path.exists(path):
        return ""
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def _line(number: int, runs: Runs) -> str:
    if runs.problem:
        return f"  round {number + 1}: {runs.client.name}: {runs.problem}"
    taken = runs.taken[-1]
    figures = f"{taken.seconds:.2f} s, {taken.cpu:.2f} s of CPU, {taken.peak:.0f} MiB"
    return f"  round {number + 1}: {runs.client.name}: {figures}"
