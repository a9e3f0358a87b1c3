"""The costs of each service: runs with each provider in turn against the embedded server, which checks every request.

Client and server share the machine, so whole runs are compared: requests, checksums and journal rows of both.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import anyio
import orjson

from benchmarks.measure import Taken, run_provider
from bulkup.model.files import FoundFile, Identity, Source
from bulkup.pipeline.files.digests import digests_of
from bulkup.pipeline.files.file_opener import FileOpener

GIB = 1024**3
_TOKEN = {"BULKUP_TOKEN": "local-token"}
_KEYS = {"BULKUP_ACCESS_KEY": "LOCALACCESSKEY000001", "BULKUP_SECRET_KEY": "local-secret-key"}
_PROJECT = ["--project-id", "local-project", "--asset-id", "a1", "--rate-limit", "0"]
_GROUP = 64


@dataclass(frozen=True, slots=True)
class Case:
    """One way to upload: its name in the table, the options of `bulkup upload`, and the environment."""

    name: str
    options: list[str]
    environ: dict[str, str]


CASES = [
    Case("`magic-hour`: one PUT per file, one call per 100 files", ["--provider", "magic-hour"], _TOKEN),
    Case(
        "`metastudio`, confirm off: hashed first, 2 requests per file",
        ["--provider", "metastudio", *_PROJECT, "--no-confirm"],
        _KEYS,
    ),
    Case("`metastudio`: hashed first, 3 requests per file", ["--provider", "metastudio", *_PROJECT], _KEYS),
    Case("`xvid`: form POST, 4 or more requests per file", ["--provider", "xvid", "--pipeline-id", "p1"], _TOKEN),
]


@contextlib.contextmanager
def served(store: str) -> Iterator[str]:
    """Start an embedded server in a separate process, and yield its root URL."""
    command = [sys.executable, "-m", "bulkup", "serve", "--store", store]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        try:
            yield str(orjson.loads(server.stdout.readline())["url"])
        finally:
            server.terminate()


def rates(tree: str, folder: str, rounds: int) -> list[tuple[str, float]]:
    """Return the files per second of each case, as medians over rounds in turn."""
    taken: dict[str, list[Taken]] = {case.name: [] for case in CASES}
    for number in range(rounds):
        with served(os.path.join(folder, f"store{number}")) as root:
            for case in CASES:
                taken[case.name].append(run_provider(root, tree, case.options, case.environ))
    files = taken[CASES[0].name][0].summary["files"]["uploaded"]
    return [(name, files / statistics.median(one.seconds for one in runs)) for name, runs in taken.items()]


def hashing_rate(tree: str) -> float:
    """Return the files per second of hashing alone, as the hasher does it: groups of files, one thread per core."""
    paths = [os.path.join(at, name) for at, _, names in os.walk(tree) for name in names]
    source = Source(os.fsencode(tree))
    files = [FoundFile(source, os.fsencode(os.path.relpath(path, tree)), Identity.of(os.stat(path))) for path in paths]
    started = time.perf_counter()
    anyio.run(_hash, files)
    return len(files) / (time.perf_counter() - started)


async def _hash(files: list[FoundFile]) -> None:
    limiter = anyio.CapacityLimiter(os.cpu_count() or 1)
    async with anyio.create_task_group() as tasks:
        for start in range(0, len(files), _GROUP):
            tasks.start_soon(_hash_group, files[start : start + _GROUP], limiter)


async def _hash_group(files: list[FoundFile], limiter: anyio.CapacityLimiter) -> None:
    hashed = await digests_of(files, limiter, FileOpener())
    assert all(isinstance(one, tuple) for one in hashed)


def large_form(folder: str) -> float:
    """Return the peak memory of the client in MiB during a form POST of 4 GiB."""
    tree = os.path.join(folder, "large")
    os.makedirs(tree)
    with open(os.path.join(tree, "large.mp4"), "wb") as file:
        file.truncate(4 * GIB)
    xvid = CASES[-1]
    with served(os.path.join(folder, "large-store")) as root:
        return run_provider(root, tree, xvid.options, xvid.environ).peak
