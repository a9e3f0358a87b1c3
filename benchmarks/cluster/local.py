"""A cluster of one worker against a plain run: `python -m benchmarks.cluster local`.

Both upload the same 10,000 files of 10 KiB to a server that costs almost nothing, in turn. The time is that from the
first settled file to the summary, so the start of processes is left out.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence

import orjson

from benchmarks.launching import clean_environment
from benchmarks.sink import sink
from benchmarks.stage import memory_folder
from benchmarks.trees import make_tree

KIB = 1024
NEEDED = 0.85


def seconds(root: str, tree: str, files: int, options: Sequence[str]) -> float:
    """Upload a tree with a new journal, and return the seconds from the first settled file to the summary.

    Raises RuntimeError if not all files were uploaded.
    """
    with tempfile.TemporaryDirectory(prefix="bulkup-local-") as scratch:
        where = ["--provider", "magic-hour", "--base-url", root, "--journal", os.path.join(scratch, "journal")]
        command = [sys.executable, "-m", "bulkup", "upload", tree, *where, "--json", "--log-level", "error", *options]
        environ = clean_environment({"BULKUP_TOKEN": "benchmark"}, scratch)
        with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            first, last = 0.0, b""
            for line in process.stdout:
                first = first or time.perf_counter()
                last = line
            ended = time.perf_counter()
    summary = orjson.loads(last or b"{}")
    if process.returncode != 0 or summary["files"]["uploaded"] != files:
        raise RuntimeError(f"ended with {process.returncode}: {last[:300]!r}")
    return ended - first


def main(given: list[str]) -> int:
    """Measure both in turn, print the ratio of the medians, and return 1 if it is too small."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cluster local", description=__doc__)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--size", type=int, default=10 * KIB)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=1)
    arguments = parser.parse_args(given)
    ways = {"plain": [], "cluster": ["--cluster", f"local:{arguments.workers}"]}
    taken: dict[str, list[float]] = {name: [] for name in ways}
    with tempfile.TemporaryDirectory(prefix="bulkup-local-", dir=memory_folder()) as folder, sink() as root:
        tree = make_tree(os.path.join(folder, "tree"), arguments.files, arguments.size)
        for _ in range(arguments.rounds):
            for name, options in ways.items():
                taken[name].append(seconds(root, tree, arguments.files, options))
    plain, cluster = (statistics.median(taken[name]) for name in ways)
    print(f"| {arguments.files:,} files of {arguments.size // KIB} KiB | seconds | files/s | ratio |")
    print("|---|---|---|---|")
    for name, median in (("plain", plain), (f"`--cluster local:{arguments.workers}`", cluster)):
        print(f"| {name} | {median:.2f} | {arguments.files / median:,.0f} | {plain / median:.2f} |")
    print(f"\n{'reached' if plain / cluster >= NEEDED else 'NOT REACHED'}: {plain / cluster:.2f} of {NEEDED}")
    return 0 if plain / cluster >= NEEDED else 1
