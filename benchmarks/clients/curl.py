"""`curl --parallel`, which reads every URL from a file that is made before the measurement."""

from __future__ import annotations

import os

from benchmarks.clients.base import Client, Command, Job, program, said


def _version() -> str:
    return said("curl", "--version").split()[1]


def _command(job: Job) -> Command:
    config = os.path.join(job.scratch, "curl.conf")
    with open(config, "w", encoding="utf-8") as file:
        for path in job.tree.paths():
            key = os.path.relpath(path, job.tree.root)
            file.write(f'url = "{job.bucket}/{key}"\nupload-file = "{path}"\n')
    argv = [program("curl"), "--parallel", "--parallel-max", str(job.in_flight), "--no-progress-meter", "--fail"]
    authority = ["--cacert", job.ca] if job.ca else []
    return Command([*argv, "--header", "Expect:", *authority, "--config", config])


CLIENT = Client("curl", "curl --parallel, URLs given", _version, _command)
