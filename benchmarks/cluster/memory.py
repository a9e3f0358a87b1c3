"""Memory and CPU time of each process of a cluster: `python -m benchmarks.cluster memory`.

Workers run as processes beside the scheduler and the coordinator, and upload trees of several sizes, each with a new
cluster. Peak memory of coordinator and scheduler must not grow with the tree.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from dataclasses import asdict, dataclass

import orjson

from benchmarks.cluster.fleet import Meter, Use, fleet
from benchmarks.cluster.network import HERE
from benchmarks.cluster.site import Upload, start
from benchmarks.sink import sink
from benchmarks.soaking.watching import Watch
from benchmarks.stage import memory_folder
from benchmarks.trees import make_tree

KIB = 1024
MOST_GROWTH = 1.2
FLAT = ("coordinator", "scheduler")


@dataclass(frozen=True, slots=True)
class Measured:
    """A run: its files and seconds, and the use of each process."""

    files: int
    seconds: float
    uses: dict[str, Use]

    def cpu_per_file(self, role: str) -> float:
        """Return the CPU microseconds of a role for each file, with its start; of workers, their sum."""
        return sum(use.cpu for name, use in self.uses.items() if name.startswith(role)) / self.files * 1e6


def measure(root: str, tree: str, files: int, workers: int, longest: float) -> Measured:
    """Upload a tree with a new cluster and a new journal. Raises RuntimeError if a file is not uploaded."""
    with tempfile.TemporaryDirectory(prefix="bulkup-memory-") as scratch:
        meter = Meter()
        with fleet(scratch, nodes=[HERE] * workers) as running, Watch(meter.look):
            for role, pid in running.pids().items():
                meter.watch(role, pid)
            where = ["--provider", "magic-hour", "--base-url", root, "--journal", os.path.join(scratch, "journal")]
            argv = [sys.executable, "-m", "bulkup", "upload", tree, *where, "--cluster", running.address, "--json"]
            started = time.perf_counter()
            upload = Upload(start(HERE, argv, os.path.join(scratch, "upload"), {"BULKUP_TOKEN": "benchmark"}), "upload")
            meter.watch("coordinator", upload.started.process.pid)
            summary = upload.summary(longest)
            seconds = time.perf_counter() - started
    counted = orjson.loads(orjson.dumps(summary["files"]))
    if counted["uploaded"] != files:
        raise RuntimeError(f"{counted['uploaded']:,} of {files:,} files were uploaded")
    return Measured(files, seconds, meter.uses)


def main(given: list[str]) -> int:
    """Measure each size, print memory and CPU time by process, and return 1 if the memory grows too much."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cluster memory", description=__doc__)
    parser.add_argument("--files", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--size", type=int, default=KIB)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--folder", default=memory_folder(), help="where the trees are made")
    parser.add_argument("--max-minutes", dest="minutes", type=float, default=60.0, help="for each run")
    parser.add_argument("--json", metavar="FILE")
    arguments = parser.parse_args(given)
    runs = []
    with sink() as root:
        for files in arguments.files:
            with tempfile.TemporaryDirectory(prefix="bulkup-memory-", dir=arguments.folder) as folder:
                tree = make_tree(os.path.join(folder, "tree"), files, arguments.size)
                runs.append(measure(root, tree, files, arguments.workers, 60 * arguments.minutes))
            _show(runs[-1])
    if arguments.json:
        with open(arguments.json, "wb") as file:
            file.write(orjson.dumps([asdict(run) for run in runs]))
    return _judge(runs)


def _show(run: Measured) -> None:
    print(f"{run.files:,} files in {run.seconds:.1f} s, {run.files / run.seconds:,.0f} files/s\n")
    print("| process | peak MiB | CPU us a file |\n|---|---|---|")
    for role in ("coordinator", "scheduler", "worker"):
        peak = max(use.peak for name, use in run.uses.items() if name.startswith(role))
        print(f"| {role} | {peak:.0f} | {run.cpu_per_file(role):.1f} |")
    print(flush=True)


def _judge(runs: list[Measured]) -> int:
    good = True
    for role in FLAT:
        growth = runs[-1].uses[role].peak / runs[0].uses[role].peak
        good = good and growth <= MOST_GROWTH
        print(f"{role}: {growth:.2f} times the memory of {runs[0].files:,} files, at most {MOST_GROWTH}")
    return 0 if good else 1
