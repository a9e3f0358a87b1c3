"""A tree, a store, an API, and a network between them: the surroundings of the measurements with namespaces."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import orjson

from benchmarks.cluster.network import Network, Node, network
from benchmarks.launching import clean_environment
from benchmarks.sink import sink
from benchmarks.stage import memory_folder
from benchmarks.store import BUCKET, Place, Store, store
from benchmarks.trees import Tree, make_known_tree

_BULKUP = (sys.executable, "-m", "bulkup")
_TOKEN = {"BULKUP_TOKEN": "benchmark"}
_STORE_PORTS = (8080, 8443)


@dataclass(frozen=True, slots=True)
class Site:
    """The network, the tree to upload, the store in the hub, and the URL of the API beside it."""

    network: Network
    tree: Tree
    store: Store
    api: str
    scratch: str

    def upload(self, node: Node, name: str, options: Sequence[str] = ()) -> Upload:
        """Start `bulkup upload` of the tree in a namespace. `name` is that of its journal and of its output."""
        journal = os.path.join(self.scratch, f"{name}.sqlite3")
        where = ["--provider", "magic-hour", "--base-url", self.api, "--journal", journal]
        argv = ["upload", self.tree.root, *where, "--json", "--log-level", "warning", *options]
        return Upload(start(node, [*_BULKUP, *argv], os.path.join(self.scratch, name), _TOKEN), name)


@dataclass(frozen=True, slots=True)
class Started:
    """A process with its output and its errors in files."""

    process: subprocess.Popen[bytes]
    out: str
    err: str

    def errors(self) -> str:
        """Return the lines that it wrote as errors."""
        with open(self.err, encoding="utf-8", errors="replace") as file:
            return file.read()

    def lines(self) -> int:
        """Return the number of lines that it wrote to its output: one for each settled file of a run."""
        with open(self.out, "rb") as file:
            return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))

    def end_of_errors(self) -> str:
        """Return the last of them."""
        return self.errors()[-1000:].strip()


@dataclass(frozen=True, slots=True)
class Upload:
    """A run of `bulkup upload`."""

    started: Started
    name: str

    def wait_for(self, files: int, longest: float = 600.0) -> float:
        """Wait until this number of files have settled, and return the time of `time.perf_counter`.

        Raises RuntimeError if the run ends before.
        """
        until = time.monotonic() + longest
        while self.started.lines() < files:
            if self.started.process.poll() not in (None, 0) or time.monotonic() > until:
                raise RuntimeError(f"{self.name} did not settle {files} files: {self.started.end_of_errors()}")
            time.sleep(0.02)
        return time.perf_counter()

    def summary(self, longest: float = 600.0) -> Mapping[str, object]:
        """Wait for its end and return its summary. Raises RuntimeError unless its exit code is 0."""
        try:
            code = self.started.process.wait(longest)
        except subprocess.TimeoutExpired as error:
            self.started.process.kill()
            self.started.process.wait()
            raise RuntimeError(f"{self.name} took longer than {longest:.0f} seconds") from error
        if code != 0:
            raise RuntimeError(f"{self.name} ended with {code}: {self.started.end_of_errors()}")
        with open(self.started.out, "rb") as file:
            last = file.readlines()[-1]
        summary: Mapping[str, object] = orjson.loads(last)
        return summary


def start(node: Node, argv: Sequence[str], name: str, environ: Mapping[str, str]) -> Started:
    """Start a command in a namespace, without the settings of this user. Output goes to `NAME.out` and `NAME.err`."""
    out, err = f"{name}.out", f"{name}.err"
    with open(out, "wb") as output, open(err, "wb") as errors:
        process = subprocess.Popen(
            [*node.inside, *argv],
            env=clean_environment(environ, os.path.dirname(name)),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            start_new_session=True,
        )
    return Started(process, out, err)


@contextlib.contextmanager
def site(workers: int, rate: float, sizes: Sequence[int]) -> Iterator[Site]:
    """Prepare a network of `workers` links with `rate` Mbit/s, and a tree with a file of each of these sizes.

    Raises LookupError if this machine lacks something that it needs.
    """
    folder = tempfile.mkdtemp(prefix="bulkup-net-", dir=memory_folder())
    with network(workers, rate, folder) as joined, contextlib.ExitStack() as stack:
        tree = make_known_tree(os.path.join(folder, "tree"), sizes)
        place = Place(joined.hub.address, *_STORE_PORTS, os.path.join(folder, "nginx"), os.path.join(folder, "kept"))
        running = stack.enter_context(store(place, tree.digests, joined.hub.inside))
        bucket = f"{place.url('http')}/{BUCKET}"
        api = stack.enter_context(sink(joined.hub.address, bucket, inside=joined.hub.inside))
        scratch = os.path.join(folder, "scratch")
        os.mkdir(scratch)
        yield Site(joined, tree, running, api, scratch)
