"""wrk, as a lower limit: for three seconds it PUTs one body from memory, and reads neither files nor answers."""

from __future__ import annotations

import os
import re

from benchmarks.clients.base import Client, Command, Job, program, said
from benchmarks.store import BUCKET

_SCRIPT = """\
local body = string.rep("x", {size})
local number = 0
request = function()
  number = number + 1
  return wrk.format("PUT", string.format("/{bucket}/%04d/%07d", number / 500 % 20, number % 10000), nil, body)
end
"""
_REQUESTS = re.compile(r"(\d+) requests in")


def _version() -> str:
    return said("wrk", "--version").split()[1].removeprefix("debian/").split("-")[0]


def _command(job: Job) -> Command:
    script = os.path.join(job.scratch, "put.lua")
    with open(script, "w", encoding="ascii") as file:
        file.write(_SCRIPT.format(size=job.tree.bytes // job.tree.files, bucket=BUCKET))
    argv = [program("wrk"), "--threads", "1", "--connections", str(job.in_flight), "--duration", "3s"]
    return Command([*argv, "--script", script, job.store], share=_share)


def _share(output: str, job: Job) -> float:
    requests = _REQUESTS.search(output)
    if requests is None:
        raise ValueError("wrk printed no number of requests")
    return job.tree.files / int(requests[1])


CLIENT = Client("wrk", "floor: wrk, no file read", _version, _command, peer=False, stores=False)
