"""The type of the file system that a device belongs to, from the system's list of mounts (Linux)."""

from __future__ import annotations

import os

_MOUNTS = "/proc/self/mountinfo"
_IN_MEMORY = frozenset({"tmpfs", "ramfs", "devtmpfs", "hugetlbfs"})
# File systems of other machines. All of FUSE counts: its server may be anything, or may have stopped.
_REMOTE = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "ceph", "9p", "virtiofs", "afs", "lustre", "glusterfs", "fuse", "fuseblk"}
)
_REMOTE_PREFIX = "fuse."


def lies_in_memory(device: int, mounts: str = _MOUNTS) -> bool:
    """Return whether a device (`st_dev`) is a file system in memory, which can be read without waiting for a disk.

    Such a file system may not know `RWF_NOWAIT` (tmpfs does not). False if the system has no list of mounts.
    """
    return _type_of(device, mounts) in _IN_MEMORY


def is_remote(device: int, mounts: str = _MOUNTS) -> bool:
    """Return whether a call to a device may wait for another machine. False if the system has no list of mounts."""
    kind = _type_of(device, mounts)
    return kind in _REMOTE or kind.startswith(_REMOTE_PREFIX)


def _type_of(device: int, mounts: str) -> str:
    """Return the type of a device's file system, empty if it is not listed."""
    wanted = f"{os.major(device)}:{os.minor(device)}"
    try:
        with open(mounts, encoding="utf-8", errors="surrogateescape") as lines:
            return next((_type_in(line) for line in lines if line.split()[2:3] == [wanted]), "")
    except OSError:
        return ""


def _type_in(line: str) -> str:
    """Return the file system's type in a line of mountinfo: the word after a single dash (proc_pid_mountinfo(5))."""
    _, _, rest = line.partition(" - ")
    return rest.split(" ", 1)[0]
