"""Installs what the benchmarks need of Debian's packages, with root or sudo: `python -m benchmarks.install`.

What cannot be installed is told, and goes without; only nginx must be there. Python's packages come with the extra
`bench`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

# Command -> Debian's package.
PACKAGES = {
    "nginx": "nginx",
    "rclone": "rclone",
    "curl": "curl",
    "wrk": "wrk",
    "ip": "iproute2",
    "cc": "gcc",
}


def main() -> int:
    """Install what is missing, say what still is, and return 1 where nginx is not there."""
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    if wanted := missing():
        print(f"Installing {', '.join(PACKAGES[name] for name in wanted)}", flush=True)
        _install([PACKAGES[name] for name in wanted])
    for name in missing():
        print(f"! {name} (Debian's package {PACKAGES[name]}) is not there: what needs it is not measured", flush=True)
    return 1 if "nginx" in missing() else 0


def missing() -> list[str]:
    """Return the commands that are not on this machine."""
    return [name for name in PACKAGES if shutil.which(name) is None]


def _install(packages: list[str]) -> None:
    if shutil.which("apt-get") is None:
        print("! There is no apt-get here")
        return
    as_root = [] if os.geteuid() == 0 else ["sudo"]
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends"]
    libc = ["libc6-dev"] if "gcc" in packages else []
    for command in (["apt-get", "update", "-qq"], [*install, *packages, *libc]):
        try:
            subprocess.run([*as_root, *command], env=environ, check=False)
        except OSError as error:
            print(f"! {' '.join(command[:2])}: {error.strerror}")


if __name__ == "__main__":
    sys.exit(main())
