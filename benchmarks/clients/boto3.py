"""boto3 in threads, with a small program (`programs/boto3_put.py`)."""

from __future__ import annotations

import importlib.metadata
import os
import sys

from benchmarks.clients.base import Client, Command, Job, s3_environment

_PROGRAM = os.path.join(os.path.dirname(__file__), "programs", "boto3_put.py")
_MOST_THREADS = 32  # more threads only wait for each other


def _version() -> str:
    try:
        return importlib.metadata.version("boto3")
    except importlib.metadata.PackageNotFoundError as error:
        raise LookupError("boto3 is not in this Python's environment") from error


def _command(job: Job) -> Command:
    threads = min(_MOST_THREADS, job.in_flight)
    argv = [sys.executable, _PROGRAM, job.store, job.tree.root, str(threads)]
    return Command(argv, s3_environment(job))


CLIENT = Client("boto3", "boto3, in threads", _version, _command)
