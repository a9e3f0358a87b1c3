"""Standard error under systemd, whose journal keeps it. It adds the time, and reads a priority in front of a line."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TextIO

_PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3}  # as in sd-daemon(3)


def goes_to_systemd(stream: TextIO, environ: Mapping[str, str] = os.environ) -> bool:
    """Return whether a stream is connected to the journal of systemd: JOURNAL_STREAM has its device and inode.

    Children inherit the variable also where their streams lead elsewhere.
    """
    named = environ.get("JOURNAL_STREAM", "")
    if not named:
        return False
    try:
        found = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return named == f"{found.st_dev}:{found.st_ino}"


def with_priority(level: str, text: str) -> str:
    """Return text with the priority of a level in front of each of its lines."""
    return "\n".join(f"<{_PRIORITIES[level]}>{line}" for line in text.split("\n"))
