"""What the system tells of the file system that a file is on."""

from __future__ import annotations

import os

_MOUNTS = "/proc/self/mountinfo"
_IN_MEMORY = frozenset({"tmpfs", "ramfs", "devtmpfs", "hugetlbfs"})


def lies_in_memory(device: int, mounts: str = _MOUNTS) -> bool:
    """Say whether a device (`st_dev`) is a file system without a disk: to read from it is to copy memory.

    Such a one need not know `RWF_NOWAIT` (tmpfs does not). False where the system has no list of mounts to tell by.
    """
    wanted = f"{os.major(device)}:{os.minor(device)}"
    try:
        with open(mounts, encoding="utf-8", errors="surrogateescape") as lines:
            return any(_type_of(line) in _IN_MEMORY for line in lines if line.split()[2:3] == [wanted])
    except OSError:
        return False


def _type_of(line: str) -> str:
    """Return the type in a line of mountinfo: what follows the lone dash (proc_pid_mountinfo(5))."""
    _, _, told = line.partition(" - ")
    return told.split(" ", 1)[0]
