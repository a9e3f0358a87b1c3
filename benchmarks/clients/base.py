"""The interface of a client, and the job that it gets."""

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
    """Upload a tree to a store with `in_flight` files at a time. `scratch` is an empty folder for state.

    `store` and `api` are root URLs. `ca` is the certificate that verifies both, or "" for plain HTTP.
    """

    tree: Tree
    store: str
    api: str
    ca: str
    in_flight: int
    scratch: str

    @property
    def bucket(self) -> str:
        """Return the URL below which files are PUT by clients that get URLs."""
        return f"{self.store}/{BUCKET}"


@dataclass(frozen=True, slots=True)
class Command:
    """A command and its environment.

    `share` reads from its output the share of the run that corresponds to one upload of the tree. Without it that is
    the whole run.
    """

    argv: list[str]
    environ: Mapping[str, str] = field(default_factory=dict)
    share: Callable[[str, Job], float] | None = None


@dataclass(frozen=True, slots=True)
class Client:
    """A program, with its name on the command line and its label in tables.

    `version` returns its version, or raises LookupError with the missing program. `check` returns a problem that it
    finds after a run. `peer` is False for programs that could not be used instead of bulkup. `stores` is False if no
    file arrives in the store.
    """

    name: str
    label: str
    version: Callable[[], str]
    command: Callable[[Job], Command]
    check: Callable[[Job], str | None] = lambda _: None
    peer: bool = True
    stores: bool = True


def program(name: str) -> str:
    """Return the path of an installed program: beside this Python, or on the PATH. Raises LookupError."""
    beside = os.path.join(os.path.dirname(sys.executable), name)
    found = beside if os.access(beside, os.X_OK) else shutil.which(name)
    if found is None:
        raise LookupError(f"{name} is not installed")
    return found


@functools.cache
def said(*argv: str) -> str:
    """Return the output of a command. Raises LookupError if it is not installed."""
    command = [program(argv[0]), *argv[1:]]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def s3_environment(job: Job) -> dict[str, str]:
    """Return the environment of AWS's SDKs. Checksums besides the one of the signature are off, as for all clients."""
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
