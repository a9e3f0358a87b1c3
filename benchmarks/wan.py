"""A shaped link on this machine: two network namespaces, joined by `wanlink.c`, which delays, loses and slows packets.

Needs root, `ip` and a C compiler. Both ends are this kernel's own TCP.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

_SOURCE = os.path.join(os.path.dirname(__file__), "wanlink.c")
_LEAST_QUEUE_KIB = 256.0
# Windows for the link's delay and rate: a host made for such links has them, a default one slows every client alike.
_SETTINGS = {
    "ipv4/tcp_rmem": "4096 131072 67108864",
    "ipv4/tcp_wmem": "4096 131072 67108864",
    "ipv4/tcp_no_metrics_save": "1",
    "core/somaxconn": "4096",
}


@dataclass(frozen=True, slots=True)
class Link:
    """A shaped link: round trip in milliseconds, packets lost each way in per cent, rate in Mbit/s."""

    round_trip: float
    loss: float
    rate: float

    def queue_kib(self) -> float:
        """Return what the queue before the link holds: as much as is under way on it."""
        return max(_LEAST_QUEUE_KIB, self.rate * 1e6 / 8 * self.round_trip / 1e3 / 1024)

    def seconds(self, size: int) -> float:
        """Return how long so many bytes take at the link's rate alone, without headers, delay and loss."""
        return size * 8 / (self.rate * 1e6)


@dataclass(frozen=True, slots=True)
class Ends:
    """The two ends: the address that servers bind to, and the commands that start something on either side."""

    address: str
    client: tuple[str, ...]
    server: tuple[str, ...]


def missing() -> str:
    """Return why there can be no shaped link on this machine, "" where there can."""
    if sys.platform != "linux":
        return "it needs Linux"
    if os.geteuid() != 0:
        return "it needs root, for network namespaces"
    if not os.path.exists("/dev/net/tun"):
        return "there is no /dev/net/tun"
    absent = [name for name in ("ip", "cc") if shutil.which(name) is None]
    return f"not installed: {', '.join(absent)}" if absent else ""


@contextlib.contextmanager
def linked(link: Link, folder: str) -> Iterator[Ends]:
    """Make the namespaces and join them for as long as the block takes. Raises CalledProcessError where it cannot."""
    names = [f"bulkup-{os.getpid()}-{side}" for side in ("client", "server")]
    program = os.path.join(folder, "wanlink")
    subprocess.run(["cc", "-O2", "-pthread", "-o", program, _SOURCE], check=True)
    with contextlib.ExitStack() as stack:
        for name in names:
            _ip("netns", "add", name)
            stack.callback(_ip, "netns", "del", name)
            _ip("-n", name, "link", "set", "lo", "up")
        stack.enter_context(_carrying(program, names, link))
        for number, name in enumerate(names, 1):
            _configure(name, f"10.77.0.{number}")
        inside = [("ip", "netns", "exec", name) for name in names]
        yield Ends("10.77.0.2", inside[0], inside[1])


@contextlib.contextmanager
def _carrying(program: str, names: list[str], link: Link) -> Iterator[None]:
    figures = [str(figure) for figure in (link.round_trip, link.loss, link.rate, link.queue_kib())]
    process = subprocess.Popen([program, *names, *figures], stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        if process.stdout.readline() != b"ready\n":
            raise subprocess.CalledProcessError(process.wait(), program)
        yield
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def _configure(name: str, address: str) -> None:
    _ip("-n", name, "addr", "add", f"{address}/24", "dev", "wan0")
    _ip("-n", name, "link", "set", "wan0", "mtu", "1500", "txqueuelen", "20000", "up")
    for setting, value in _SETTINGS.items():
        _ip("netns", "exec", name, "sh", "-c", f"echo {value} >/proc/sys/net/{setting}")


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)
