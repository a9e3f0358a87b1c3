"""Install the Python packages of the benchmarks into the environment of this Python: `bench_packages.py MARKER`.

All are installed at once. If that fails, because one of them is missing in the index or does not run here, bulkup is
installed first, and then each of the other tools alone. Those that fail are named, and the benchmarks leave them out.
Without a network an earlier installation stays as it is. MARKER is created once all are installed, so that `make` does
not try again. It imports the standard library only.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_REQUIRED = ("trustme",)  # makes the certificates of the store


def main(arguments: Sequence[str]) -> int:
    """Install the packages, and return 1 if bulkup itself could not be installed and is not there."""
    names = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    missing = install(names["bench"], _pip)
    if missing is None:
        if not all(importlib.util.find_spec(name) for name in ("aiohttp", *_REQUIRED)):
            return 1
        print("The packages of an earlier installation are used", file=sys.stderr)
        return 0
    for name in missing:
        print(f"{name} could not be installed; benchmarks leave it out", file=sys.stderr)
    if not missing:
        Path(arguments[0]).touch()
    return 0


def install(extra: Sequence[str], pip: Callable[[Sequence[str]], bool]) -> list[str] | None:
    """Install the packages of an extra, and return those that failed, or None if a required one did.

    `pip` installs packages and returns whether that succeeded. The packages of the extra that name bulkup itself stand
    for its other extras.
    """
    if pip(["--editable", ".[bench]"]):
        return []
    own = [name for name in extra if name.startswith("bulkup[")]
    required = [name for name in extra if name.startswith(_REQUIRED)]
    extras = ",".join(name.partition("[")[2].rstrip("]") for name in own)
    if not pip(["--editable", f".[{extras}]", *required]):
        return None
    return [name for name in extra if name not in (*own, *required) and not pip([name])]


def _pip(packages: Sequence[str]) -> bool:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages]
    return subprocess.run(command, cwd=_ROOT, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
