"""The AWS CLI's `aws s3 cp --recursive`."""

from __future__ import annotations

import os

from benchmarks.clients.base import Client, Command, Job, program, s3_environment, said
from benchmarks.store import BUCKET

_CONFIG = "[default]\ns3 =\n  max_concurrent_requests = {in_flight}\n  max_queue_size = 10000\n"


def _version() -> str:
    return said("aws", "--version").split()[0].removeprefix("aws-cli/")


def client(config: str = "", *, checksums: bool = False) -> Client:
    """Return the AWS CLI with more lines of its configuration for S3, and with its own checksums of parts."""

    def command(job: Job) -> Command:
        path = os.path.join(job.scratch, "aws.conf")
        with open(path, "w", encoding="ascii") as file:
            file.write(_CONFIG.format(in_flight=job.in_flight) + config)
        argv = [program("aws"), "s3", "cp", job.tree.root, f"s3://{BUCKET}/", "--recursive"]
        argv += ["--endpoint-url", job.store, "--only-show-errors"]
        calculation = {"AWS_REQUEST_CHECKSUM_CALCULATION": "when_supported" if checksums else "when_required"}
        return Command(argv, {**s3_environment(job), **calculation, "AWS_CONFIG_FILE": path})

    return Client("aws", "AWS CLI", _version, command)


CLIENT = client()
