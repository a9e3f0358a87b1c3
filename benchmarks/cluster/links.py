"""The rate of many links against that of one: `python -m benchmarks.cluster links`.

Each worker has a link of its own to the store. One worker uploads the whole tree; then all workers upload it together.
The rate is the bytes of the files over the seconds of the runs, as their summaries have them, so the start is left out.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass

import orjson

from benchmarks.cluster.fleet import fleet
from benchmarks.cluster.site import Site, site

KIB = 1024
# The scheduler of the network is not on the loopback, and the namespaces need no TLS.
INSECURE = ("--cluster-insecure",)
NEEDED = 3.7  # of 4 workers against 1


@dataclass(frozen=True, slots=True)
class Rate:
    """Files and bytes of one measurement, its seconds, and the bytes that each worker's link carried."""

    workers: int
    files: int
    bytes: int
    seconds: float
    carried: tuple[int, ...]

    @property
    def megabits(self) -> float:
        """Return the rate of the files' bytes in Mbit/s."""
        return self.bytes * 8e-6 / self.seconds


def by_shards(place: Site, workers: int) -> float:
    """Upload the tree with one process and one shard for each worker, and return the seconds of the slowest."""
    nodes = place.network.workers[:workers]
    runs = [
        place.upload(node, f"shard{number}of{workers}", ["--shard", f"{number}/{workers}"])
        for number, node in enumerate(nodes, 1)
    ]
    return max(float(str(run.summary()["seconds"])) for run in runs)


def by_cluster(place: Site, workers: int) -> float:
    """Upload the tree with a cluster, and return the seconds from the first settled file to the last."""
    network = place.network
    with fleet(place.scratch, network.hub, network.workers[:workers]) as running:
        upload = place.upload(network.hub, f"cluster{workers}", ["--cluster", running.address, *INSECURE])
        seconds = -upload.wait_for(1) + upload.wait_for(place.tree.files)
        upload.summary()
        return seconds


WAYS: dict[str, Callable[[Site, int], float]] = {"shards": by_shards, "cluster": by_cluster}


def measure(place: Site, workers: int, way: str) -> Rate:
    """Upload the tree, and check that the store has all of it. Raises RuntimeError if it has not."""
    before = [place.network.sent(number) for number in range(workers)]
    seconds = WAYS[way](place, workers)
    carried = tuple(place.network.sent(number) - sent for number, sent in enumerate(before))
    kept = place.store.kept()
    if kept != (place.tree.files, place.tree.bytes):
        raise RuntimeError(f"the store has {kept[0]:,} files of {kept[1]:,} bytes, not {place.tree.files:,}")
    place.store.wipe()
    return Rate(workers, place.tree.files, place.tree.bytes, seconds, carried)


def main(given: list[str]) -> int:
    """Measure one worker and then all, print the ratio, and return 1 if it is too small."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cluster links", description=__doc__)
    parser.add_argument("--way", choices=WAYS, default="shards")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--rate", type=float, default=100.0, help="Mbit/s of each link")
    parser.add_argument("--files", type=int, default=3_200)
    parser.add_argument("--size", type=int, default=128 * KIB, help="bytes of a file")
    parser.add_argument("--json", metavar="FILE")
    arguments = parser.parse_args(given)
    try:
        with site(arguments.workers, arguments.rate, [arguments.size] * arguments.files) as place:
            rates = [measure(place, count, arguments.way) for count in (1, arguments.workers)]
    except LookupError as error:
        print(f"no measurement: {error}", file=sys.stderr)
        return 2
    one, many = rates
    ratio, needed = many.megabits / one.megabits, NEEDED / 4 * arguments.workers
    print(f"| {arguments.way}, {one.files:,} files of {arguments.size // KIB} KiB | seconds | Mbit/s | ratio |")
    print("|---|---|---|---|")
    for rate in rates:
        print(f"| {rate.workers} | {rate.seconds:.2f} | {rate.megabits:.1f} | {rate.megabits / one.megabits:.2f} |")
    print(f"\n{'reached' if ratio >= needed else 'NOT REACHED'}: {ratio:.2f} of {needed:.2f}")
    if arguments.json:
        with open(arguments.json, "wb") as file:
            file.write(orjson.dumps(rates))
    return 0 if ratio >= needed else 1
