"""obstore, Rust's object_store for Python, with a small program (`programs/obstore_put.py`)."""

from __future__ import annotations

import importlib.metadata
import os
import sys

from benchmarks.clients.base import Client, Command, Job, s3_environment

_PROGRAM = os.path.join(os.path.dirname(__file__), "programs", "obstore_put.py")


def _version() -> str:
    try:
        return importlib.metadata.version("obstore")
    except importlib.metadata.PackageNotFoundError as error:
        raise LookupError("obstore is not in this Python's environment") from error


def _command(job: Job) -> Command:
    authority = {"SSL_CERT_FILE": job.ca} if job.ca else {}
    argv = [sys.executable, _PROGRAM, job.store, job.tree.root, str(job.in_flight)]
    return Command(argv, {**s3_environment(job), **authority})


CLIENT = Client("obstore", "obstore", _version, _command)
