"""What a client is, and what it is given to do."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from benchmarks.store import BUCKET
from benchmarks.trees import Tree

ACCESS_KEY, SECRET_KEY, REGION = "BENCHACCESSKEY000001", "bench-secret-key", "us-east-1"


@dataclass(frozen=True, slots=True)
class Job:
    """Upload this tree to this store, so many files in flight; `scratch` is an empty folder for state.

    `store` and `api` are root URLs, `ca` is the certificate that both are verified with, or "" for plain HTTP.
    """

    tree: Tree
    store: str
    api: str
    ca: str
    in_flight: int
    scratch: str

    @property
    def bucket(self) -> str:
        """The URL below which files are PUT by clients that are given URLs."""
        return f"{self.store}/{BUCKET}"


@dataclass(frozen=True, slots=True)
class Command:
    """A command, and what it needs in its environment.

    `share` reads from its output what part of its run one upload of the tree would have been; the whole run without it.
    """

    argv: list[str]
    environ: Mapping[str, str] = field(default_factory=dict)
    share: Callable[[str, Job], float] | None = None


@dataclass(frozen=True, slots=True)
class Client:
    """A program: its name for the command line, its label for tables.

    `version` returns its version, or raises LookupError with what is missing. `check` looks, after a run, whether it
    did what it should, and returns what is wrong. `peer` is False for what nobody could use instead of bulkup, `stores`
    is False where nothing of the tree arrives in the store.
    """

    name: str
    label: str
    version: Callable[[], str]
    command: Callable[[Job], Command]
    check: Callable[[Job], str | None] = lambda _: None
    peer: bool = True
    stores: bool = True


def program(name: str) -> str:
    """Return the path of an installed program: beside this Python, else on the PATH. Raises LookupError."""
    beside = os.path.join(os.path.dirname(sys.executable), name)
    found = beside if os.access(beside, os.X_OK) else shutil.which(name)
    if found is None:
        raise LookupError(f"{name} is not on this machine")
    return found


@functools.cache
def said(*argv: str) -> str:
    """Return what a command prints, in one piece. Raises LookupError where it is not installed."""
    command = [program(argv[0]), *argv[1:]]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def s3_environment(job: Job) -> dict[str, str]:
    """Return what AWS's SDKs read from the environment. Checksums beside the signature's are off, as for all."""
    authority = {"AWS_CA_BUNDLE": job.ca} if job.ca else {}
    return {
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
        **authority,
    }
