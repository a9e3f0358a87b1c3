"""An earlier version of bulkup: a clone of this repository at a revision, installed in an environment of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def folder_of(revision: str) -> str:
    """Return the folder of the environment."""
    return os.path.join(_ROOT, f".venv-bench-{revision}")


def command_of(revision: str) -> str:
    """Return the path of its command. Raises LookupError if it is not installed."""
    path = os.path.join(folder_of(revision), "bin", "bulkup")
    if not os.path.exists(_finished(revision)):
        raise LookupError(f"revision {revision} is not installed")
    return path


def version_of(revision: str) -> str:
    """Return its version. Raises LookupError if it is not installed."""
    done = subprocess.run([command_of(revision), "--version"], capture_output=True, text=True, check=True)
    return done.stdout.split()[-1]


def prepare(revision: str) -> None:
    """Install the revision with the package versions of this environment, unless that was done before.

    Raises LookupError with the reason if it cannot be installed.
    """
    if os.path.exists(_finished(revision)):
        return
    folder = folder_of(revision)
    shutil.rmtree(folder, ignore_errors=True)
    clone, constraints = os.path.join(folder, "clone"), os.path.join(folder, "constraints.txt")
    _run("git", "clone", "--quiet", "--no-checkout", _ROOT, clone)
    _run("git", "-C", clone, "checkout", "--quiet", "--detach", revision)
    _run(sys.executable, "-m", "venv", folder)
    with open(constraints, "w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in _versions_here())
    pip = [os.path.join(folder, "bin", "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run(*pip, "--constraint", constraints, f"{clone}[speed]")
    with open(_finished(revision), "wb"):
        pass


def _finished(revision: str) -> str:
    return os.path.join(folder_of(revision), ".bench")


def _versions_here() -> list[str]:
    """Return the versions of the packages of this environment, so that the two differ in bulkup alone."""
    said = _run(sys.executable, "-m", "pip", "freeze", "--exclude-editable")
    return [line for line in said.splitlines() if "==" in line]


def _run(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise LookupError(f"{command[0]} is not installed") from error
    if done.returncode:
        raise LookupError(f"`{' '.join(command[:3])}` failed: {' '.join(done.stderr[-300:].split())}")
    return done.stdout
