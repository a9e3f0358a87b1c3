"""A shaped link on this machine: two network namespaces, joined by `wanlink.c`, which delays, drops and throttles
packets.

It needs root, `ip` and a C compiler. Both ends use the TCP of this kernel.
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
# TCP windows for the delay and rate of the link. With the default windows every client is equally slow.
_SETTINGS = {
    "ipv4/tcp_rmem": "4096 131072 67108864",
    "ipv4/tcp_wmem": "4096 131072 67108864",
    "ipv4/tcp_no_metrics_save": "1",
    "core/somaxconn": "4096",
}


@dataclass(frozen=True, slots=True)
class Link:
    """A shaped link: round trip in milliseconds, lost packets per direction in per cent, rate in Mbit/s.

    `control` is the congestion control of TCP at both ends.
    """

    round_trip: float
    loss: float
    rate: float
    control: str = "cubic"

    def text(self) -> str:
        """Return the link as text for a title."""
        rate = f"{self.rate / 1000:g} Gbit/s" if self.rate >= 1000 else f"{self.rate:g} Mbit/s"
        return f"{rate}, {self.round_trip:g} ms, {self.loss:g} % loss each way, {self.control}"

    def queue_kib(self) -> float:
        """Return the size of the queue before the link: as much as fits on the way."""
        return max(_LEAST_QUEUE_KIB, self.rate * 1e6 / 8 * self.round_trip / 1e3 / 1024)

    def seconds(self, size: int) -> float:
        """Return the seconds for `size` bytes at the rate of the link, without headers, delay and loss."""
        return size * 8 / (self.rate * 1e6)


@dataclass(frozen=True, slots=True)
class Ends:
    """The two ends: the address for servers, and the commands that start something at either end."""

    address: str
    client: tuple[str, ...]
    server: tuple[str, ...]


def missing(control: str) -> str:
    """Return why there can be no shaped link with this congestion control on this machine, or ""."""
    if sys.platform != "linux":
        return "it needs Linux"
    if os.geteuid() != 0:
        return "it needs root, for network namespaces"
    if not os.path.exists("/dev/net/tun"):
        return "there is no /dev/net/tun"
    absent = [name for name in ("ip", "cc") if shutil.which(name) is None]
    if absent:
        return f"not installed: {', '.join(absent)}"
    return "" if control in _controls() else f"this kernel has no TCP congestion control {control}"


def _controls() -> list[str]:
    with open("/proc/sys/net/ipv4/tcp_available_congestion_control", encoding="ascii") as file:
        return file.read().split()


@contextlib.contextmanager
def linked(link: Link, folder: str) -> Iterator[Ends]:
    """Join two namespaces during the block. Raises CalledProcessError if that fails."""
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
            _configure(name, f"10.77.0.{number}", link.control)
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


def _configure(name: str, address: str, control: str) -> None:
    _ip("-n", name, "addr", "add", f"{address}/24", "dev", "wan0")
    _ip("-n", name, "link", "set", "wan0", "mtu", "1500", "txqueuelen", "20000", "up")
    # The route names the congestion control, because a namespace may not make every control its default.
    _ip("-n", name, "route", "replace", "10.77.0.0/24", "dev", "wan0", "src", address, "congctl", control)
    for setting, value in _SETTINGS.items():
        _ip("netns", "exec", name, "sh", "-c", f"echo {value} >/proc/sys/net/{setting}")


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)
