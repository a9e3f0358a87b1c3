"""Messages to the service manager that started this process, by systemd's protocol sd_notify.

The manager names a socket in NOTIFY_SOCKET. Without that variable there is nothing to send, so nothing is.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Mapping

ADDRESS = "NOTIFY_SOCKET"
_LIMIT, _LIMIT_OF = "WATCHDOG_USEC", "WATCHDOG_PID"
_TIMEOUT = 2.0  # seconds for a message that comes once; without it, systemd would wait for the start
_LONGEST_STATUS = 500  # characters; `systemctl status` shows one line


class ServiceManager:
    """The socket of a service manager. A sign of life that it cannot take at once is dropped: none may delay a run.

    `watchdog` is the time in seconds after which the manager ends a service without a sign of life, None without one.
    """

    def __init__(self, address: str, watchdog: float | None = None) -> None:
        self._address = "\0" + address[1:] if address.startswith("@") else address  # Linux's abstract sockets
        self.watchdog = watchdog

    def ready(self, status: str) -> None:
        """Say that the service has started."""
        self._send("READY=1", status, timeout=_TIMEOUT)

    def alive(self, status: str) -> None:
        """Give a sign of life, and show what the service does."""
        self._send("WATCHDOG=1", status)

    def stopping(self, status: str) -> None:
        """Say that the service ends."""
        self._send("STOPPING=1", status, timeout=_TIMEOUT)

    def _send(self, state: str, status: str, *, timeout: float = 0.0) -> None:
        line = " ".join(status.split())[:_LONGEST_STATUS]  # a line break would begin another assignment
        message = f"{state}\nSTATUS={line}".encode("utf-8", "backslashreplace")
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.settimeout(timeout)
            sender.sendto(message, self._address)


def service_manager(environ: Mapping[str, str], process_id: int) -> ServiceManager | None:
    """Return the service manager that waits for messages of this process, None without one.

    The watchdog may be meant for another process that passed its environment on. Addresses of other families than
    Unix, which virtual machines have, are not used.
    """
    address = environ.get(ADDRESS, "")
    if address[:1] not in ("/", "@") or len(address) == 1:
        return None
    watchdog = None
    if environ.get(_LIMIT_OF, str(process_id)) == str(process_id):
        with contextlib.suppress(ValueError):
            watchdog = int(environ.get(_LIMIT, "")) / 1_000_000
    return ServiceManager(address, watchdog if watchdog and watchdog > 0 else None)
