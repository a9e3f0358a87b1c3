"""The programs of service managers: `systemctl`, `loginctl`, `crontab`, `launchctl`."""

from __future__ import annotations

import os
import shutil
import subprocess

from bulkup.errors import MachineError
from bulkup.reports.safe_text import printable

_TIMEOUT = 60.0  # seconds; `daemon-reload` of a large machine takes a few


def has_program(name: str) -> bool:
    """Return whether a program is in PATH."""
    return shutil.which(name) is not None


def attempt(*command: str, given: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    """Run a program so that it prints English and UTC, and return its end. Raises MachineError if it cannot be run."""
    environ = {**os.environ, "LC_ALL": "C", "TZ": "UTC", "SYSTEMD_PAGER": "", "SYSTEMD_COLORS": "0"}
    try:
        return subprocess.run(
            command, env=environ, input=given or b"", capture_output=True, check=False, timeout=_TIMEOUT
        )
    except FileNotFoundError as error:
        raise MachineError(f"there is no program {command[0]} on this machine") from error
    except subprocess.TimeoutExpired as error:
        raise MachineError(f"{' '.join(command[:3])} gave no answer within {_TIMEOUT:g} s") from error
    except OSError as error:
        raise MachineError(f"cannot run {command[0]}: {error.strerror or error}") from error


def require(*command: str, given: bytes | None = None, hint: str = "") -> bytes:
    """Run a program that must succeed, and return its output. Raises MachineError with its message."""
    done = attempt(*command, given=given)
    if done.returncode != 0:
        said = printable(b" ".join((done.stderr or done.stdout).split()).decode("utf-8", "replace")[:500])
        shown = printable(" ".join(command))
        raise MachineError(f"`{shown}` failed: {said or f'exit code {done.returncode}'}", hint=hint)
    return done.stdout
