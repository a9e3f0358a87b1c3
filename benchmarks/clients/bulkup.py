"""bulkup with its defaults: it requests URLs, hashes, verifies the answers of storage, and keeps a journal."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Sequence

import orjson

from benchmarks.clients.base import Client, Command, Job
from bulkup._version import __version__

_BULKUP = [sys.executable, "-m", "bulkup"]


def client(name: str, label: str, options: Sequence[str] = (), status: str = "uploaded") -> Client:
    """Return bulkup with more options. Every file must end with `status`."""

    def command(job: Job) -> Command:
        argv = [*_BULKUP, "upload", job.tree.root, "--provider", "magic-hour", "--base-url", job.api]
        argv += ["--journal", _journal(job), "--quiet", "--log-level", "error", *options]
        authority = ["--ca-file", job.ca] if job.ca else []
        return Command([*argv, *authority], {"BULKUP_TOKEN": "benchmark"})

    return Client(name, label, lambda: __version__, command, lambda job: _differing(job, status), peer=False)


def _journal(job: Job) -> str:
    return f"{job.scratch}/journal"


def _differing(job: Job, status: str) -> str | None:
    """Return the difference to a manifest in which every file has this status."""
    command = [*_BULKUP, "manifest", "--journal", _journal(job), "--format", "jsonl"]
    lines = subprocess.run(command, capture_output=True, check=True).stdout.splitlines()
    found = Counter(str(orjson.loads(line)["status"]) for line in lines)
    return None if found == {status: job.tree.files} else f"the manifest has {dict(found)}"


CLIENT = client("bulkup", "`bulkup upload`")
UNVERIFIED = client("bulkup-none", "`bulkup upload --checksum none`", ["--checksum", "none"], status="unverified")
