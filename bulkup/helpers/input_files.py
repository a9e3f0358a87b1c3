"""Opens files that a user names as input, and nothing that would block or never end.

A named pipe without a writer blocks, and a device such as /dev/zero never ends. Only pipes that this process inherited
are read, as of a shell's `<(command)`, which passes /dev/fd/63.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import stat
import time
from typing import BinaryIO

STANDARD_INPUT = "-"  # in place of a path
_BLOCK = 64 * 1024
_DESCRIPTORS = ("/dev/fd", "/proc/self/fd")


def open_input(path: str, *, pipes: bool) -> BinaryIO:
    """Open a regular file or the null device, with `pipes` also an inherited pipe. It never blocks.

    Raises OSError, also for anything else, and ValueError for a path with NUL bytes.
    """
    _check(os.stat(path), path, pipes=pipes)  # opening some devices has an effect
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, descriptor)
        _check(os.fstat(descriptor), path, pipes=pipes)
        stack.pop_all()
    return open(descriptor, "rb")


def read_input(path: str, limit: int, *, seconds: float) -> tuple[bytes, os.stat_result]:
    """Return up to `limit` bytes of a file or an inherited pipe, and its status. A pipe may take some `seconds`.

    Raises as `open_input`, and TimeoutError, a subclass of OSError.
    """
    deadline, data, ready = time.monotonic() + seconds, b"", select.poll()
    with open_input(path, pipes=True) as file:
        ready.register(file, select.POLLIN)
        while len(data) < limit:
            if not ready.poll(max(0.0, deadline - time.monotonic()) * 1000):
                raise TimeoutError(errno.ETIMEDOUT, f"the pipe did not end within {seconds:g} s")
            block = os.read(file.fileno(), min(_BLOCK, limit - len(data)))
            if not block:
                break
            data += block
        return data, os.fstat(file.fileno())


def _check(status: os.stat_result, path: str, *, pipes: bool) -> None:
    if stat.S_ISFIFO(status.st_mode):
        good = pipes and _is_inherited(path)
    elif stat.S_ISCHR(status.st_mode):
        good = status.st_rdev == os.stat(os.devnull).st_rdev
    elif stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    else:
        good = stat.S_ISREG(status.st_mode)
    if not good:
        raise OSError(errno.EINVAL, "it is not a regular file")


def _is_inherited(path: str) -> bool:
    """Return whether the path leads to a descriptor of this process. A pipe that has a name leads to the name."""
    folder = os.path.dirname(os.path.realpath(path))
    return folder in {os.path.realpath(each) for each in _DESCRIPTORS}
