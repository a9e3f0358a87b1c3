"""The scenarios: files, the way to the store, and clients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.clients import CLIENTS, bulkup, rclone
from benchmarks.clients.base import Client
from benchmarks.trees import log_normal_sizes
from benchmarks.wan import Link

KIB, MIB, GIB = 1024, 1024**2, 1024**3
IN_FLIGHT = 64
LARGE_FILES = 8
_ALL = ("bulkup", "s5cmd", "rclone", "obstore", "curl", "boto3", "aws")


@dataclass(frozen=True, slots=True)
class Scenario:
    """Files of these sizes in bytes, sent over `scheme` by these clients, and over a shaped link if there is one.

    `note` is a remark on the figures.
    """

    name: str
    title: str
    sizes: tuple[int, ...]
    clients: tuple[Client, ...]
    scheme: str = "http"
    in_flight: int = IN_FLIGHT
    link: Link | None = None
    note: str = ""


def scenarios(*, quick: bool, large: int) -> list[Scenario]:
    """Return all scenarios in which clients upload. `large` is the size of a large file in bytes."""
    part = 10 if quick else 1
    return [_small(10_000 // part), _https(10_000 // part), _mixed(3_000 // part), _large(large), _wan(2_000 // part)]


def chosen(every: Sequence[Scenario], names: Sequence[str]) -> list[Scenario]:
    """Return the scenarios with these names, or all if no name is given."""
    return [scenario for scenario in every if scenario.name in names or not names]


def size_text(size: int) -> str:
    """Return a size in bytes as text for a title."""
    return f"{size / GIB:.3g} GiB" if size >= GIB else f"{size / MIB:.3g} MiB"


def _small(files: int) -> Scenario:
    clients = _clients(*_ALL, "wrk")
    return Scenario("small", f"{files:,} files of 10 KiB, HTTP", (10 * KIB,) * files, clients)


def _https(files: int) -> Scenario:
    clients = _clients(*(name for name in _ALL if name != "curl"))
    note = "`curl --parallel` is left out: it makes a TLS context for every file and takes minutes."
    return Scenario("https", f"{files:,} files of 10 KiB, HTTPS", (10 * KIB,) * files, clients, "https", note=note)


def _mixed(files: int) -> Scenario:
    sizes = log_normal_sizes(files, 64 * KIB, 1.5, 32 * MIB)
    title = f"{files:,} files, {size_text(sum(sizes))}, sizes log-normal around 64 KiB, HTTP"
    return Scenario("mixed", title, tuple(sizes), _clients(*_ALL))


def _large(size: int) -> Scenario:
    unhashed = rclone.client("rclone-none", "rclone --s3-disable-checksum", ["--s3-disable-checksum"])
    clients = (bulkup.CLIENT, bulkup.UNVERIFIED, *_clients("reference", *_ALL[1:]), unhashed)
    title = f"{LARGE_FILES} files of {size_text(size)}, HTTP"
    return Scenario("large", title, (size,) * LARGE_FILES, clients, in_flight=LARGE_FILES)


def _wan(files: int) -> Scenario:
    title = f"{files:,} files of 256 KiB, HTTP, over 1 Gbit/s, 40 ms, 0.1 % loss each way"
    clients = _clients("bulkup", "s5cmd", "rclone", "obstore", "curl")
    return Scenario("wan", title, (256 * KIB,) * files, clients, link=Link(40.0, 0.1, 1000.0))


def _clients(*names: str) -> tuple[Client, ...]:
    return tuple(CLIENTS[name] for name in names)
