"""s5cmd from its Python package: AWS's SDK for Go, which signs and hashes every body over HTTP."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.clients.base import Client, Command, Job, program, s3_environment, said
from benchmarks.store import BUCKET


def _version() -> str:
    return said("s5cmd", "version").lstrip("v").split("-")[0]


def client(options: Sequence[str] = ()) -> Client:
    """Return s5cmd with more options of its command `cp`."""

    def command(job: Job) -> Command:
        argv = [program("s5cmd"), "--endpoint-url", job.store, "--log", "error", "--numworkers", str(job.in_flight)]
        return Command([*argv, "cp", *options, f"{job.tree.root}/", f"s3://{BUCKET}/"], s3_environment(job))

    return Client("s5cmd", "s5cmd", _version, command)


CLIENT = client()
