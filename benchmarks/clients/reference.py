"""The reference program for large files (`benchmarks/reference.py`): MD5 in threads and `sendfile`."""

from __future__ import annotations

import importlib.util
import sys

from benchmarks.clients.base import Client, Command, Job


def _version() -> str:
    if importlib.util.find_spec("benchmarks.reference") is None:
        raise LookupError("benchmarks/reference.py is not there")
    return ""


def _command(job: Job) -> Command:
    argv = [sys.executable, "-m", "benchmarks.reference", job.bucket, job.tree.root, str(job.in_flight)]
    return Command(argv)


CLIENT = Client("reference", "reference: MD5 in threads, sendfile", _version, _command, peer=False)
