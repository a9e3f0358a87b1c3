"""Run a command as a process, and measure it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from typing import Any

import orjson


@dataclass(frozen=True, slots=True)
class Taken:
    """Seconds as the command reports them; CPU seconds and peak memory in MiB as the system reports them; its
    `summary`."""

    seconds: float
    cpu: float
    peak: float
    summary: dict[str, Any]


def run_upload(root: str, folder: str, concurrency: int) -> Taken:
    """Run `bulkup upload` of `folder` against a sink, with a new journal."""
    options = ["--provider", "magic-hour", "--concurrency", str(concurrency)]
    return run_provider(root, folder, options, {"BULKUP_TOKEN": "benchmark"})


def run_provider(root: str, folder: str, options: list[str], given: dict[str, str]) -> Taken:
    """Run `bulkup upload` of `folder` against `root` with these options and environment, and a new journal."""
    with tempfile.TemporaryDirectory() as state:
        environ = {**os.environ, **given, "XDG_STATE_HOME": state}
        command = [sys.executable, "-m", "bulkup", "upload", folder, "--base-url", root, *options, "--json"]
        line, cpu, peak = _run(command, environ)
    summary = orjson.loads(line)
    assert summary["exit_code"] == 0, summary
    return Taken(summary["seconds"], cpu, peak, summary)


def run_bare(root: str, folder: str, tasks: int) -> Taken:
    """Run the bare loop over the same files."""
    line, cpu, peak = _run([sys.executable, "-m", "benchmarks.bare", root, folder, str(tasks)], dict(os.environ))
    return Taken(float(line), cpu, peak, {})


def _run(command: list[str], environ: dict[str, str]) -> tuple[bytes, float, float]:
    process = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    last = b""
    for line in process.stdout:
        last = line
    _, _, usage = os.wait4(process.pid, 0)
    process.returncode = 0
    process.stdout.close()
    scale = 1024**2 if sys.platform == "darwin" else 1024
    return last, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / scale
