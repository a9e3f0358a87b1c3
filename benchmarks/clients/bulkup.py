"""bulkup with its defaults: it requests URLs, hashes, verifies the answers of storage, and keeps a journal."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Callable, Sequence

import orjson

from benchmarks.clients.base import ACCESS_KEY, REGION, SECRET_KEY, Client, Command, Job, program
from benchmarks.store import BUCKET
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
        service = ["--provider", "magic-hour", "--base-url", job.api]
        return Command(_arguments(found(), job, service, options), {"BULKUP_TOKEN": "benchmark"})

    return Client(name, label, version, command, lambda job: _differing(found(), job, status), peer=False)


def s3(name: str, options: Sequence[str] = ()) -> Client:
    """Return this version of bulkup with provider `s3`, which signs its URLs itself, and with more options."""

    def command(job: Job) -> Command:
        service = ["--provider", "s3", "--base-url", job.store, "--bucket", BUCKET, "--region", REGION]
        keys = {"BULKUP_ACCESS_KEY": ACCESS_KEY, "BULKUP_SECRET_KEY": SECRET_KEY}
        return Command(_arguments(program("bulkup"), job, service, options), keys)

    label = " ".join(["bulkup upload --provider s3", *options])
    return Client(
        name,
        f"`{label}`",
        lambda: __version__,
        command,
        lambda job: _differing(program("bulkup"), job, "uploaded"),
        peer=False,
    )


def _arguments(command: str, job: Job, service: Sequence[str], options: Sequence[str]) -> list[str]:
    argv = [command, "upload", job.tree.root, *service, "--journal", _journal(job)]
    authority = ["--ca-file", job.ca] if job.ca else []
    return [*argv, "--quiet", "--log-level", "error", *options, *authority]


def _journal(job: Job) -> str:
    return f"{job.scratch}/journal"


def _differing(bulkup: str, job: Job, status: str) -> str | None:
    """Return the difference to a manifest in which every file has this status."""
    command = [bulkup, "manifest", "--journal", _journal(job), "--format", "jsonl"]
    lines = subprocess.run(command, capture_output=True, check=True).stdout.splitlines()
    found = Counter(str(orjson.loads(line)["status"]) for line in lines)
    return None if found == {status: job.tree.files} else f"the manifest has {dict(found)}"


CLIENT = client("bulkup", "`bulkup upload`")
S3 = s3("bulkup-s3")
FIXED = client("bulkup-64", "`bulkup upload --concurrency 64`", ["--concurrency", "64"])
UNVERIFIED = client("bulkup-none", "`bulkup upload --checksum none`", ["--checksum", "none"], status="unverified")
