"""A link that is down for a minute during a run: `python -m benchmarks.cluster cut`, as root.

Scheduler and coordinator are in the hub, with the store. The link of the first worker is cut on the way. All files must
be uploaded, and few of them twice: those that were in flight on the cut worker.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass

from benchmarks.cluster.fleet import Fleet, fleet
from benchmarks.cluster.links import INSECURE
from benchmarks.cluster.site import Site, site

KIB = 1024


@dataclass(frozen=True, slots=True)
class Cut:
    """A run with a cut: its seconds, the files stored more than once, and the bytes that the cut worker sent in the
    whole run and after the cut. `restarted` counts workers that had ended by then.

    Dask ends a worker that does not reach the scheduler for 30 s (`distributed.comm.timeouts.tcp`).
    """

    seconds: float
    again: int
    sent: int
    sent_after: int
    restarted: int


def carry_out(place: Site, running: Fleet, down: float, share: float, longest: float) -> Cut:
    """Upload the tree, with the link down for `down` seconds once `share` of the files have settled.

    Raises RuntimeError if the run fails, or if the store lacks a file.
    """
    network, started = place.network, time.perf_counter()
    options = ["--cluster", running.address, *INSECURE, "--concurrency", "32"]
    upload = place.upload(network.hub, "cut", options)
    upload.wait_for(int(share * place.tree.files), longest)
    network.cut(0)
    time.sleep(down)
    network.mend(0)
    before, again = network.sent(0), running.start_ended()
    upload.summary(longest)
    files, _ = place.store.kept()
    if files < place.tree.files:
        raise RuntimeError(f"the store has {files:,} of {place.tree.files:,} files")
    sent = network.sent(0)
    return Cut(time.perf_counter() - started, files - place.tree.files, sent, sent - before, again)


def main(given: list[str]) -> int:
    """Measure, print the figures, and return 1 if more files were sent twice than were in flight."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cluster cut", description=__doc__)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rate", type=float, default=20.0, help="Mbit/s of each link")
    parser.add_argument("--files", type=int, default=2_000)
    parser.add_argument("--size", type=int, default=256 * KIB)
    parser.add_argument("--down", type=float, default=60.0, help="seconds")
    parser.add_argument("--at", type=float, default=0.1, help="share of the files that have settled before")
    arguments = parser.parse_args(given)
    try:
        with (
            site(arguments.workers, arguments.rate, [arguments.size] * arguments.files) as place,
            fleet(place.scratch, place.network.hub, place.network.workers) as running,
        ):
            done = carry_out(place, running, arguments.down, arguments.at, 1800)
    except LookupError as error:
        print(f"no measurement: {error}", file=sys.stderr)
        return 2
    print(f"{arguments.files:,} files in {done.seconds:.1f} s; one of {arguments.workers} links down for", end=" ")
    print(f"{arguments.down:.0f} s; {done.again} files were stored twice; {done.restarted} workers were started again;")
    print(f"{done.sent_after:,} of {done.sent:,} bytes of the cut worker were sent after it")
    return 0 if done.again <= 32 and done.sent_after > arguments.size else 1
