"""bulkup with its defaults: it requests URLs, hashes, verifies the answers of storage, and keeps a journal."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Callable, Sequence

import orjson

from benchmarks.clients.base import Client, Command, Job, program
from bulkup._version import __version__


def client(name: str, label: str, options: Sequence[str] = (), status: str = "uploaded") -> Client:
    """Return this version of bulkup with more options. Every file must end with `status`."""
    return installed(name, label, lambda: program("bulkup"), lambda: __version__, options, status)


def installed(
    name: str,
    label: str,
    found: Callable[[], str],
    version: Callable[[], str],
    options: Sequence[str] = (),
    status: str = "uploaded",
) -> Client:
    """Return the bulkup whose command is at the path that `found` returns."""

    def command(job: Job) -> Command:
        argv = [found(), "upload", job.tree.root, "--provider", "magic-hour", "--base-url", job.api]
        argv += ["--journal", _journal(job), "--quiet", "--log-level", "error", *options]
        authority = ["--ca-file", job.ca] if job.ca else []
        return Command([*argv, *authority], {"BULKUP_TOKEN": "benchmark"})

    return Client(name, label, version, command, lambda job: _differing(found(), job, status), peer=False)


def _journal(job: Job) -> str:
    return f"{job.scratch}/journal"


def _differing(bulkup: str, job: Job, status: str) -> str | None:
    """Return the difference to a manifest in which every file has this status."""
    command = [bulkup, "manifest", "--journal", _journal(job), "--format", "jsonl"]
    lines = subprocess.run(command, capture_output=True, check=True).stdout.splitlines()
    found = Counter(str(orjson.loads(line)["status"]) for line in lines)
    return None if found == {status: job.tree.files} else f"the manifest has {dict(found)}"


CLIENT = client("bulkup", "`bulkup upload`")
FIXED = client("bulkup-64", "`bulkup upload --concurrency 64`", ["--concurrency", "64"])
UNVERIFIED = client("bulkup-none", "`bulkup upload --checksum none`", ["--checksum", "none"], status="unverified")
