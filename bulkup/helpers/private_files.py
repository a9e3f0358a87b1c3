"""Files and folders for nobody but their owner, whatever the umask: what is made here may hold signed URLs or keys."""

from __future__ import annotations

import os


def make_private_folder(path: str) -> None:
    """Make a folder, and those above it that are missing, 0700 each. Raises OSError."""
    above = os.path.dirname(path.rstrip("/"))
    if above and not os.path.isdir(above):
        make_private_folder(above)
    # The mode given to makedirs is for the last folder alone.
    os.makedirs(path, mode=0o700, exist_ok=True)


def open_private(path: str, flags: int) -> int:
    """Return a descriptor of a file that is made 0600 where there is none; its name is that of `os.open`'s opener.

    Raises OSError.
    """
    return os.open(path, flags | os.O_CREAT | os.O_CLOEXEC, 0o600)
