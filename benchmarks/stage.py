"""Prepare one scenario (files, store, API and link), run all clients, and remove everything."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator, Sequence

from benchmarks import wan
from benchmarks.clients.base import Client, Job
from benchmarks.rounds import Course, Runs, run_all
from benchmarks.scenarios import GIB, MIB, Scenario
from benchmarks.sink import sink
from benchmarks.store import BUCKET, Place, Store, store
from benchmarks.trees import make_known_tree

_IN_MEMORY = "/dev/shm"
_LOOPBACK = wan.Ends("127.0.0.1", (), ())
_SPARE = 3 * GIB  # for clients, store and other programs
_MEMORY_OF_A_FILE = 4 * 1024  # its inode, and the unused part of its last page


def run_scenario(scenario: Scenario, clients: Sequence[Client], rounds: int, tell: Callable[[str], None]) -> list[Runs]:
    """Return the runs of every client. Raises LookupError if this machine lacks something that the scenario needs."""
    with contextlib.ExitStack() as stack:
        _demand_room(scenario.sizes)
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="bulkup-bench-", dir=memory_folder()))
        ends = stack.enter_context(_ends(scenario.link, folder))
        tree = make_known_tree(os.path.join(folder, "tree"), scenario.sizes, parts=scenario.parts)
        place = Place(ends.address, *_free_ports(), os.path.join(folder, "nginx"), os.path.join(folder, "kept"))
        running = stack.enter_context(store(place, tree.digests, ends.server))
        api = stack.enter_context(_api(running, scenario.scheme))
        ca = place.ca if scenario.scheme == "https" else ""
        job = Job(tree, place.url(scenario.scheme), api, ca, scenario.in_flight, scratch="")
        return run_all(Course(job, running, rounds, ends.client), clients, tell)


def _demand_room(sizes: Sequence[int]) -> None:
    needed = 2 * sum(size + _MEMORY_OF_A_FILE for size in sizes)  # the tree, and the store's copy of it
    if needed > room_in_memory():
        raise LookupError(f"tree and store need {needed / GIB:.1f} GiB of free memory")


def memory_folder() -> str | None:
    """Return a folder in memory, None if the system has none in the usual place."""
    return _IN_MEMORY if os.path.isdir(_IN_MEMORY) else None


def large_size(asked: int, files: int, room: int) -> int:
    """Return the size of a large file in bytes: the requested one, halved until tree and store fit into memory."""
    size = asked
    while size > MIB and 2 * files * size > room:
        size //= 2
    return size


def room_in_memory() -> int:
    """Return how many bytes tree and store may take together."""
    free = shutil.disk_usage(memory_folder() or tempfile.gettempdir()).free
    return min(free, _available() - _SPARE)


def _available() -> int:
    with open("/proc/meminfo", encoding="ascii") as file:
        line = next(line for line in file if line.startswith("MemAvailable:"))
    return int(line.split()[1]) * 1024


@contextlib.contextmanager
def _ends(link: wan.Link | None, folder: str) -> Iterator[wan.Ends]:
    if link is None:
        yield _LOOPBACK
        return
    if missing := wan.missing(link.control):
        raise LookupError(missing)
    with wan.linked(link, folder) as ends:
        yield ends


@contextlib.contextmanager
def _api(running: Store, scheme: str) -> Iterator[str]:
    certificate = os.path.join(running.place.folder, "server.pem") if scheme == "https" else ""
    where = f"{running.place.url(scheme)}/{BUCKET}"
    with sink(running.place.host, where, certificate, running.inside) as root:
        yield root


def _free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        for held in (one, other):
            held.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1]), int(other.getsockname()[1])
