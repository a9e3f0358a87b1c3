"""rclone's S3 backend, without comparing the store before and checking it afterwards."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.clients.base import ACCESS_KEY, REGION, SECRET_KEY, Client, Command, Job, program, said
from benchmarks.store import BUCKET

_BACKEND = ["--s3-provider", "Other", "--s3-region", REGION, "--s3-access-key-id", ACCESS_KEY]
_LEAST = ["--s3-no-check-bucket", "--s3-no-head", "--no-check-dest", "--no-traverse"]


def client(name: str = "rclone", label: str = "rclone", options: Sequence[str] = ()) -> Client:
    """Return rclone with more options."""

    def command(job: Job) -> Command:
        argv = [program("rclone"), "copy", job.tree.root, f":s3:{BUCKET}", "--s3-endpoint", job.store]
        argv += [*_BACKEND, "--s3-secret-access-key", SECRET_KEY, *_LEAST, *options]
        argv += ["--transfers", str(job.in_flight), "--checkers", str(job.in_flight), "--quiet"]
        authority = ["--ca-cert", job.ca] if job.ca else []
        return Command([*argv, *authority])

    return Client(name, label, _version, command)


def _version() -> str:
    return said("rclone", "version").split("\n")[0].removeprefix("rclone v").split("-")[0].split("+")[0]


CLIENT = client()
