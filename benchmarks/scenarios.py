"""What is measured: which files, by which way to the store, and which clients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.clients import CLIENTS, Client, bulkup, rclone
from benchmarks.trees import log_normal_sizes

KIB, MIB, GIB = 1024, 1024**2, 1024**3
_ALL = ("bulkup", "s5cmd", "rclone", "obstore", "curl", "boto3", "aws")
IN_FLIGHT = 64


@dataclass(frozen=True, slots=True)
class Link:
    """A shaped link: round trip in milliseconds, packets lost each way in per cent, rate in Mbit/s."""

    round_trip: float = 40.0
    loss: float = 0.1
    rate: float = 1000.0


@dataclass(frozen=True, slots=True)
class Scenario:
    """Files of these sizes in bytes, over `scheme`, by these clients; over a shaped link where there is one."""

    name: str
    title: str
    sizes: tuple[int, ...]
    clients: tuple[Client, ...]
    scheme: str = "http"
    in_flight: int = IN_FLIGHT
    link: Link | None = None

    @property
    def bytes(self) -> int:
        """How many bytes the files have together."""
        return sum(self.sizes)


def scenarios(*, quick: bool, large: int) -> list[Scenario]:
    """Return all scenarios with clients that upload; `large` is the size of a large file in bytes."""
    part = 10 if quick else 1
    small, few = 10_000 // part, 2_000 // part
    return [
        Scenario("small", f"{small:,} files of 10 KiB, HTTP", (10 * KIB,) * small, _clients(*_ALL, "wrk")),
        Scenario(
            "https",
            f"{small:,} files of 10 KiB, HTTPS",
            (10 * KIB,) * small,
            _clients(*(name for name in _ALL if name != "curl")),
            scheme="https",
        ),
        _mixed(3_000 // part),
        Scenario("large", f"8 files of {_text(large)}, HTTP, MD5 verified", (large,) * 8, _verified(), in_flight=8),
        Scenario("unverified", f"8 files of {_text(large)}, HTTP, no checksum", (large,) * 8, _unverified(), in_flight=8),
        Scenario(
            "wan",
            f"{few:,} files of 256 KiB, HTTP over a link of 1 Gbit/s, 40 ms, 0.1 % loss each way",
            (256 * KIB,) * few,
            _clients("bulkup", "s5cmd", "rclone", "obstore", "curl"),
            link=Link(),
        ),
    ]


def _mixed(files: int) -> Scenario:
    sizes = log_normal_sizes(files, 64 * KIB, 1.5, 32 * MIB)
    title = f"{files:,} files of {sum(sizes) / MIB:,.0f} MiB together, log-normal (median 64 KiB), HTTP"
    return Scenario("mixed", title, tuple(sizes), _clients(*_ALL))


def _verified() -> tuple[Client, ...]:
    return _clients("bulkup", "reference", "rclone")


def _unverified() -> tuple[Client, ...]:
    alone = bulkup.client("bulkup", ["--checksum", "none"], status="unverified")
    return (alone, *_clients("s5cmd"), rclone.client(options=["--s3-disable-checksum"]), *_clients("obstore", "curl"))


def _clients(*names: str) -> tuple[Client, ...]:
    return tuple(CLIENTS[name] for name in names)


def chosen(all_of_them: Sequence[Scenario], names: Sequence[str]) -> list[Scenario]:
    """Return the scenarios with these names, all where none is named."""
    return [scenario for scenario in all_of_them if scenario.name in names or not names]


def _text(size: int) -> str:
    return f"{size // GIB} GiB" if size % GIB == 0 else f"{size // MIB} MiB"
