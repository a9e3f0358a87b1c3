"""The machine and the circumstances of a measurement."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import time
from collections.abc import Sequence
from typing import Any

from benchmarks.figures import Circumstances

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def machine(notes: Sequence[str] = ()) -> dict[str, Any]:
    """Return the values that are the same for all scenarios, with remarks."""
    nginx = subprocess.run([shutil.which("nginx") or "nginx", "-v"], capture_output=True, text=True, check=False)
    return {
        "when": time.strftime("%Y-%m-%d"),
        "cores": os.cpu_count(),
        "processor": _processor(),
        "kernel": platform.release().split("-")[0],
        "python": platform.python_version(),
        "nginx": nginx.stderr.strip().rpartition("/")[2],
        "notes": list(notes),
    }


def circumstances() -> Circumstances:
    """Return the day, the revision of this repository and the load of the last minute."""
    return Circumstances(time.strftime("%Y-%m-%d %H:%M"), revision(), round(os.getloadavg()[0], 2))


def revision() -> str:
    """Return the last revision that changed bulkup itself, with a + if it is changed now, and "" without Git."""
    known = _git("log", "-1", "--format=%h", "--", "bulkup")
    return f"{known}+" if _git("status", "--porcelain", "--", "bulkup") else known


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(["git", "-C", _ROOT, *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout.strip()


def _processor() -> str:
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    return names[0] if names else platform.machine()
