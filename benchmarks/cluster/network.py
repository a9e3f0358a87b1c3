"""A hub and workers as network namespaces of this machine. Each worker has an address and a link of its own.

    worker 1 (10.78.1.2) --- 100 Mbit/s --- (10.78.1.1) \\
    worker 2 (10.78.2.2) --- 100 Mbit/s --- (10.78.2.1)  hub (10.78.0.1)
    ...                                                 /

The hub has the store, and the scheduler and the coordinator of a cluster. Workers reach one another through it. It
needs root. A process beside this one (`guard.py`) removes everything, also when this one is killed.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.cluster.guard import remove

HUB = "10.78.0.1"
_GUARD = os.path.join(os.path.dirname(__file__), "guard.py")
_NAME = re.compile(r"bulkup-net-(\d+)-\w+")
_SHAPE = ("burst", "64kb", "latency", "100ms")  # packets that would wait longer are dropped


@dataclass(frozen=True, slots=True)
class Node:
    """A namespace: its name and address. Without a name, it is that of this process."""

    name: str
    address: str

    @property
    def inside(self) -> tuple[str, ...]:
        """Return the words that start a command in this namespace."""
        return ("ip", "netns", "exec", self.name) if self.name else ()


HERE = Node("", "127.0.0.1")


@dataclass(frozen=True, slots=True)
class Network:
    """The hub and the workers. `cut` and `mend` take the number of a worker, from 0."""

    hub: Node
    workers: tuple[Node, ...]

    def cut(self, worker: int) -> None:
        """Take a worker's link down."""
        _ip("-n", self.hub.name, "link", "set", f"link{worker + 1}", "down")

    def mend(self, worker: int) -> None:
        """Take a worker's link up again."""
        _ip("-n", self.hub.name, "link", "set", f"link{worker + 1}", "up")

    def sent(self, worker: int) -> int:
        """Return the bytes that a worker has sent so far, with the headers of all packets."""
        path = f"/sys/class/net/link{worker + 1}/statistics/rx_bytes"
        return int(subprocess.run([*self.hub.inside, "cat", path], capture_output=True, check=True).stdout)


def missing() -> str:
    """Return why there can be no such network on this machine, or ""."""
    if sys.platform != "linux":
        return "it needs Linux"
    if os.geteuid() != 0:
        return "it needs root, for network namespaces"
    absent = [name for name in ("ip", "tc", "unshare") if shutil.which(name) is None]
    if absent:
        return f"not installed: {', '.join(absent)} (Debian: iproute2, util-linux)"
    done = subprocess.run(["unshare", "--net", "true"], stderr=subprocess.DEVNULL, check=False)
    return "" if done.returncode == 0 else "this root may not make network namespaces, as in a container"


@contextlib.contextmanager
def network(workers: int, rate: float, folder: str) -> Iterator[Network]:
    """Make a network whose links have `rate` Mbit/s in each direction. `folder` is removed with it.

    Raises LookupError if this machine cannot have one, and CalledProcessError if a command fails.
    """
    if reason := missing():
        raise LookupError(reason)
    sweep()
    hub = Node(f"bulkup-net-{os.getpid()}-hub", HUB)
    nodes = tuple(Node(f"bulkup-net-{os.getpid()}-{number}", f"10.78.{number}.2") for number in range(1, workers + 1))
    with _guarded(folder, [node.name for node in (hub, *nodes)]):
        _add(hub)
        _ip("-n", hub.name, "addr", "add", f"{HUB}/32", "dev", "lo")
        _inside(hub, "echo 1 >/proc/sys/net/ipv4/ip_forward; echo 4096 >/proc/sys/net/core/somaxconn")
        for number, node in enumerate(nodes, 1):
            _join(hub, node, number, rate)
        yield Network(hub, nodes)


def sweep() -> list[str]:
    """Remove the namespaces of processes that no longer exist, and return their names."""
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
    found = [(match[0], int(match[1])) for match in _NAME.finditer(listed)]
    left = [name for name, pid in found if not os.path.exists(f"/proc/{pid}")]
    for name in left:
        remove(name)
    return left


@contextlib.contextmanager
def _guarded(folder: str, names: list[str]) -> Iterator[None]:
    command = [sys.executable, "-IS", _GUARD, folder, *names]
    guard = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
    assert guard.stdin is not None
    try:
        yield
    finally:
        guard.stdin.close()
        guard.wait()


def _add(node: Node) -> None:
    _ip("netns", "add", node.name)
    _ip("-n", node.name, "link", "set", "lo", "up")


def _join(hub: Node, node: Node, number: int, rate: float) -> None:
    near = f"link{number}"
    _add(node)
    _ip("-n", hub.name, "link", "add", near, "type", "veth", "peer", "name", "eth0", "netns", node.name)
    for at, device, address in ((hub, near, f"10.78.{number}.1"), (node, "eth0", node.address)):
        _ip("-n", at.name, "addr", "add", f"{address}/24", "dev", device)
        _ip("-n", at.name, "link", "set", device, "up")
        shape = ("root", "tbf", "rate", f"{rate:g}mbit", *_SHAPE)
        subprocess.run([*at.inside, "tc", "qdisc", "add", "dev", device, *shape], check=True)
    _ip("-n", node.name, "route", "add", "default", "via", f"10.78.{number}.1")


def _inside(node: Node, script: str) -> None:
    subprocess.run([*node.inside, "sh", "-c", script], check=True)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)
