"""The AWS CLI's `aws s3 cp --recursive`."""

from __future__ import annotations

import os

from benchmarks.clients.base import Client, Command, Job, program, s3_environment, said
from benchmarks.store import BUCKET

_CONFIG = "[default]\ns3 =\n  max_concurrent_requests = {in_flight}\n  max_queue_size = 10000\n"


def _version() -> str:
    return said("aws", "--version").split()[0].removeprefix("aws-cli/")


def _command(job: Job) -> Command:
    config = os.path.join(job.scratch, "aws.conf")
    with open(config, "w", encoding="ascii") as file:
        file.write(_CONFIG.format(in_flight=job.in_flight))
    argv = [program("aws"), "s3", "cp", job.tree.root, f"s3://{BUCKET}/", "--recursive", "--endpoint-url", job.store]
    return Command([*argv, "--only-show-errors"], {**s3_environment(job), "AWS_CONFIG_FILE": config})


CLIENT = Client("aws", "AWS CLI", _version, _command)
