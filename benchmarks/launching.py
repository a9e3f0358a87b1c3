"""Start commands through `launch.py` in a clean environment, and read the measurements."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson

_LAUNCH = os.path.join(os.path.dirname(__file__), "launch.py")
_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# The variables that a command gets. A user's own settings of the programs would change the result.
_KEPT = ("PATH", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH")


@dataclass(frozen=True, slots=True)
class Launched:
    """The measurements of one process: seconds, CPU seconds, peak memory in MiB, and its output."""

    seconds: float
    cpu: float
    peak: float
    said: str


def launched(
    argv: Sequence[str], environ: Mapping[str, str], scratch: str, inside: Sequence[str] = (), longest: float = 600.0
) -> Launched:
    """Run a command and return its measurements. `scratch` is a folder for its output and state.

    Raises RuntimeError with the end of its output if it fails or takes longer than `longest` seconds.
    """
    result, output = os.path.join(scratch, "taken.json"), os.path.join(scratch, "output")
    whole = [*inside, sys.executable, "-IS", _LAUNCH, result, *argv]
    with open(output, "wb") as file:
        process = subprocess.Popen(
            whole, env=clean_environment(environ, scratch), cwd=_ROOT, stdout=file, stderr=file, start_new_session=True
        )
        _wait(process, longest)
    said = _read(output)
    told = orjson.loads(_read(result) or "{}")
    os.unlink(result)
    if told.get("status") != 0:
        raise RuntimeError(f"failed with {told.get('status')}: {' '.join(said[-300:].split())}")
    return Launched(told["seconds"], told["cpu"], told["peak"], said)


def _wait(process: subprocess.Popen[bytes], longest: float) -> None:
    try:
        process.wait(longest)
    except BaseException as error:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if isinstance(error, subprocess.TimeoutExpired):
            raise RuntimeError(f"took longer than {longest:.0f} seconds") from error
        raise


def clean_environment(given: Mapping[str, str], scratch: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return {**kept, "HOME": scratch, "XDG_STATE_HOME": scratch, **given}


def _read(path: str) -> str:
    if not os.path.exists(path):
        return ""
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()
