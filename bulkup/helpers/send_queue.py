"""The send queue of a socket: bytes that were written to it and not acknowledged by the other side."""

from __future__ import annotations

import fcntl
import sys
import termios

# The request SIOCOUTQ of tcp(7) has the number of TIOCOUTQ. Other systems do not know it for sockets.
_SUPPORTED = sys.platform == "linux"
_ROOM = bytes(4)  # for a C int


def unacknowledged_bytes(descriptor: int) -> int:
    """Return the number of bytes in the send queue of a socket, 0 where the system does not tell."""
    if not _SUPPORTED:
        return 0
    try:
        return int.from_bytes(fcntl.ioctl(descriptor, termios.TIOCOUTQ, _ROOM), sys.byteorder)
    except OSError:
        return 0
