"""Standard input, output and error, if the program that starts this one has closed them.

A scheduler or a daemon may start a command without descriptor 0, 1 or 2. The next file or socket that is opened would
then take that number: output would go into it, and libuv aborts the process when it closes such a socket.
"""

from __future__ import annotations

import os
import sys


def open_missing_streams() -> None:
    """Open the null device on each missing descriptor from 0 to 2, and on the streams in `sys` that Python left out.

    Raises OSError if there is no null device.
    """
    for number, mode in ((0, os.O_RDONLY), (1, os.O_WRONLY), (2, os.O_WRONLY)):
        if not _is_open(number):
            _open_null(number, mode)
    if sys.stdin is None:
        sys.stdin = open(0, closefd=False)  # noqa: SIM115  # it stays open as long as the process
    if sys.stdout is None:
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(2, "w", errors="backslashreplace", closefd=False)  # noqa: SIM115


def _open_null(number: int, mode: int) -> None:
    opened = os.open(os.devnull, mode)
    if opened == number:
        os.set_inheritable(number, True)  # the programs that this one starts need the descriptor as well
    else:  # another thread has taken the number meanwhile
        os.close(opened)


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True
