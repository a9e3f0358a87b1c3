"""Install the system packages of a make target: `python tests/tools/system_packages.py venv|test|bench`.

On Debian and Ubuntu this uses apt-get, as root or through sudo. Elsewhere it prints the command to run. It imports the
standard library only, because it runs before the virtual environment exists.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

# sudo drops these variables unless it is asked to keep them.
_KEPT_BY_SUDO = ("DEBIAN_FRONTEND", "http_proxy", "https_proxy", "ftp_proxy", "no_proxy")
_CEPH = ("radosgw", "ceph-mon", "ceph-osd", "ceph-common")
_APT_OPTIONS = ("-y", "-qq", "-o", "DPkg::Lock::Timeout=120")


@dataclass(frozen=True)
class Tool:
    """A program or library, how to find it, and the packages that contain it."""

    name: str
    is_installed: Callable[[], bool]
    debian: tuple[str, ...]
    homebrew: str = ""
    required: bool = True


def command(name: str, package: str, *, required: bool = True) -> Tool:
    """Return a tool that is a command in PATH or among the system's own commands."""
    path = f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin"
    return Tool(name, lambda: shutil.which(name, path=path) is not None, (package,), package, required)


def can_compile() -> bool:
    """Return whether a C compiler and the C library's headers are installed."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return False
    with tempfile.TemporaryDirectory() as folder:
        arguments = ["-x", "c", "-shared", "-fPIC", "-o", os.path.join(folder, "probe.so"), "-"]
        done = subprocess.run([compiler, *arguments], input=b"#include <stdio.h>\n", capture_output=True, check=False)
    return done.returncode == 0


def _tools() -> Mapping[str, Sequence[Tool]]:
    venv_package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    venv = Tool("Python's ensurepip", lambda: importlib.util.find_spec("ensurepip") is not None, (venv_package,))
    compiler = Tool("a C compiler", can_compile, ("gcc", "libc6-dev"))
    nginx = command("nginx", "nginx")
    lfs_client = [command("git", "git"), command("git-lfs", "git-lfs")]
    optional = [command(name, name, required=False) for name in ("rclone", "curl", "wrk")]
    tools = {"venv": [venv], "test": [nginx, *lfs_client], "bench": [nginx, *optional]}
    if sys.platform.startswith("linux"):
        # Only the tests of failing disks and the shaped link of the benchmarks compile something; both are for Linux.
        tools["test"] += [compiler, Tool("Ceph", has_ceph, _CEPH), command("systemd-analyze", "systemd")]
        tools["test"] += [command("chromium", "chromium")]
        tools["bench"] += [replace(compiler, required=False), command("ip", "iproute2", required=False)]
    return tools


def has_ceph() -> bool:
    """Return whether the programs of a Ceph cluster with its S3 gateway are installed."""
    return all(shutil.which(name) is not None for name in ("ceph", "ceph-mon", "ceph-osd", "radosgw"))


def main(arguments: Sequence[str]) -> int:
    """Install the missing tools of a target, and return 1 if a required one could not be installed."""
    tools = _tools()
    if len(arguments) != 1 or arguments[0] not in tools:
        print(f"usage: python tests/tools/system_packages.py {'|'.join(tools)}", file=sys.stderr)
        return 2
    return install(tools[arguments[0]])


def install(tools: Sequence[Tool]) -> int:
    """Install the tools that are missing, name those that still are, and return 1 if one of them is required."""
    if wanted := _missing(tools):
        _run_apt([package for tool in wanted for package in tool.debian])
    missing = _missing(tools)
    if len(wanted) > 1:
        for tool in missing:  # one package that apt-get does not know keeps it from installing the others
            _run_apt(tool.debian)
        missing = _missing(tools)
    for tool in missing:
        consequence = "" if tool.required else "; benchmarks that need it are left out"
        print(f"{tool.name} is not installed{consequence}", file=sys.stderr)
    if missing:
        print(f"Install with: {_by_hand(missing)}", file=sys.stderr)
    return 1 if any(tool.required for tool in missing) else 0


def _missing(tools: Sequence[Tool]) -> list[Tool]:
    return [tool for tool in tools if not tool.is_installed()]


def _run_apt(packages: Sequence[str]) -> None:
    """Run apt-get if it exists and may be used. `install` looks for the tools again afterwards."""
    as_root = _as_root()
    if shutil.which("apt-get") is None or as_root is None:
        return
    print(f"Installing {', '.join(packages)} with apt-get", flush=True)
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (
        ["update", *_APT_OPTIONS],
        ["install", *_APT_OPTIONS, "--no-install-recommends", *packages],
    ):
        # With a closed standard input no package can wait for an answer; sudo asks at the terminal.
        subprocess.run([*as_root, "apt-get", *arguments], env=environ, stdin=subprocess.DEVNULL, check=False)


def _as_root() -> list[str] | None:
    """Return the words that run a command as root, or None if there is no way."""
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") is None:
        return None
    return ["sudo", f"--preserve-env={','.join(_KEPT_BY_SUDO)}"]


def _by_hand(tools: Sequence[Tool]) -> str:
    """Return the command that installs the tools, for the package manager of this machine."""
    if shutil.which("apt-get") is not None:
        packages = " ".join(package for tool in tools for package in tool.debian)
        return f"sudo apt-get update && sudo apt-get install -y {packages}"
    if sys.platform == "darwin":
        return f"brew install {' '.join(tool.homebrew or tool.name for tool in tools)}"
    return f"your package manager ({', '.join(tool.name for tool in tools)})"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
