"""Uploads the same files with bulkup and with other tools, in turn: `python -m benchmarks peers`."""

from __future__ import annotations

import argparse
import contextlib
import os
import socket
import tempfile
from collections.abc import Iterator, Sequence

from benchmarks.clients import bulkup
from benchmarks.clients.base import Client, Job
from benchmarks.rounds import Course, Runs, run_all
from benchmarks.scenarios import GIB, MIB, Scenario, chosen, scenarios
from benchmarks.sink import sink
from benchmarks.store import BUCKET, Place, Store, store
from benchmarks.trees import Tree, make_known_tree

_MEMORY = "/dev/shm"


def memory_folder() -> str | None:
    return _MEMORY if os.path.isdir(_MEMORY) else None


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


def upload_scenario(scenario: Scenario, clients: Sequence[Client], rounds: int) -> list[Runs]:
    with tempfile.TemporaryDirectory(prefix="bulkup-bench-", dir=memory_folder()) as folder:
        tree = make_known_tree(os.path.join(folder, "tree"), scenario.sizes)
        place = Place("127.0.0.1", free_port(), free_port(), os.path.join(folder, "nginx"), os.path.join(folder, "kept"))
        with store(place, tree.digests) as running, _api(running, scenario.scheme) as api:
            ca = place.ca if scenario.scheme == "https" else ""
            job = Job(tree, place.url(scenario.scheme), api, ca, scenario.in_flight, scratch="")
            return run_all(Course(job, running, rounds), clients, lambda line: print(line, flush=True))


@contextlib.contextmanager
def _api(running: Store, scheme: str) -> Iterator[str]:
    certificate = os.path.join(running.place.folder, "server.pem") if scheme == "https" else ""
    where = f"{running.place.url(scheme)}/{BUCKET}"
    with sink(running.place.host, where, certificate, running.inside) as root:
        yield root


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default="")
    parser.add_argument("--clients", default="")
    parser.add_argument("--variant", action="append", default=[])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--large-size", type=int, default=1024)
    a = parser.parse_args(argv)
    import statistics
    for s in chosen(scenarios(quick=a.quick, large=a.large_size*MIB), [x for x in a.only.split(",") if x]):
        if s.link: continue
        names = [x for x in a.clients.split(",") if x]
        clients = [c for c in s.clients if not names or c.name in names]
        for v in a.variant:
            name, _, options = v.partition("=")
            clients.append(bulkup.client(name, options.split()))
        print(s.title)
        runs = upload_scenario(s, clients, a.rounds)
        base = statistics.median(t.seconds for t in runs[0].taken) if runs[0].taken else None
        for r in runs:
            if r.taken:
                m = statistics.median(t.seconds for t in r.taken)
                print(f"| {r.client} {r.version} | {len(s.sizes)/m:,.0f}/s | {m:.2f} s | bulkup x{(m/base if base else 0):.2f} | cpu {statistics.median(t.cpu for t in r.taken):.2f} | store {statistics.median(t.store_cpu for t in r.taken):.2f} | {max(t.peak for t in r.taken):.0f} MiB | {r.problem}")
            else:
                print(f"| {r.client} {r.version} | {r.problem}")
    return 0
