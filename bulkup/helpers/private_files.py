"""Creates files and folders that only their owner can access, with any umask. They may hold signed URLs or keys."""

from __future__ import annotations

import os


def make_private_folder(path: str) -> None:
    """Make a folder and its missing parents, each with mode 0700. Raises OSError."""
    above = os.path.dirname(path.rstrip("/"))
    if above and not os.path.isdir(above):
        make_private_folder(above)
    # The mode of makedirs applies only to the last folder.
    os.makedirs(path, mode=0o700, exist_ok=True)


def open_private(path: str, flags: int) -> int:
    """Open a file, creating it with mode 0600 if it is missing, and return its descriptor. Raises OSError.

    It can be passed to `open` as its `opener`.
    """
    return os.open(path, flags | os.O_CREAT | os.O_CLOEXEC, 0o600)
