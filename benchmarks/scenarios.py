"""The scenarios: files, the way to the store, and clients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.clients import CLIENTS, aws, bulkup, earlier, rclone, s5cmd
from benchmarks.clients.base import Client
from benchmarks.trees import log_normal_sizes
from benchmarks.wan import Link

KIB, MIB, GIB = 1024, 1024**2, 1024**3
IN_FLIGHT = 64
LARGE_FILES = 8
PART = 16 * MIB  # the size of a part, for all clients
PARTS_IN_FLIGHT = 16
# The names in the order in which they run.
SCENARIOS = ("small", "https", "cpu", "mixed", "wan200", "wan200-bbr", "wan", "wan-bbr", "many", "large", "parts")
_NATIVE = ("bulkup", "bulkup-64", "s5cmd", "rclone", "obstore", "curl")
_SLOW = ("boto3", "aws")  # they take 20 to 50 seconds where the others take two
_ROUNDS, _FEW_ROUNDS = 5, 3


@dataclass(frozen=True, slots=True)
class Scenario:
    """Files of these sizes in bytes, sent over `scheme` by these clients, and over a shaped link if there is one.

    `parts` are the sizes of the parts that large files are sent in, if the store shall know their digests. `rounds` is
    the usual number of rounds, and `note` is a remark on the figures.
    """

    name: str
    title: str
    sizes: tuple[int, ...]
    clients: tuple[Client, ...]
    scheme: str = "http"
    in_flight: int = IN_FLIGHT
    link: Link | None = None
    rounds: int = _ROUNDS
    note: str = ""
    parts: tuple[int, ...] = ()


def scenarios(*, quick: bool, large: int, revision: str) -> list[Scenario]:
    """Return all scenarios in which clients upload.

    `large` is the size of a large file in bytes. `revision` is the earlier version whose CPU time is compared.
    """
    part = 10 if quick else 1
    return [
        _small(10_000 // part),
        _https(10_000 // part),
        _cpu(10_000 // part, revision),
        _mixed(3_000 // part),
        *[_slow_link(1_000 // part, control) for control in ("cubic", "bbr")],
        *[_fast_link(2_000 // part, control) for control in ("cubic", "bbr")],
        _many(200_000 // part),
        _large(large),
        _parts(large * LARGE_FILES),
    ]


def chosen(every: Sequence[Scenario], names: Sequence[str]) -> list[Scenario]:
    """Return the scenarios with these names, or all if no name is given."""
    return [scenario for scenario in every if scenario.name in names or not names]


def size_text(size: int) -> str:
    """Return a size in bytes as text for a title."""
    return f"{size / GIB:.3g} GiB" if size >= GIB else f"{size / MIB:.3g} MiB"


def _small(files: int) -> Scenario:
    clients = _clients(*_NATIVE[:2], "bulkup-s3", *_NATIVE[2:], *_SLOW, "wrk")
    return Scenario("small", f"{files:,} files of 10 KiB, HTTP", (10 * KIB,) * files, clients)


def _https(files: int) -> Scenario:
    clients = _clients(*(name for name in _NATIVE if name != "curl"))
    note = "`curl --parallel` is left out: it makes a TLS context for every file and takes minutes."
    return Scenario("https", f"{files:,} files of 10 KiB, HTTPS", (10 * KIB,) * files, clients, "https", note=note)


def _cpu(files: int, revision: str) -> Scenario:
    title = f"{files:,} files of 10 KiB, HTTP, in pairs with an earlier version"
    return Scenario("cpu", title, (10 * KIB,) * files, (bulkup.CLIENT, earlier.client(revision)))


def _many(files: int) -> Scenario:
    title = f"{files:,} files of 10 KiB, HTTP"
    return Scenario("many", title, (10 * KIB,) * files, _clients(*_NATIVE), rounds=_FEW_ROUNDS)


def _mixed(files: int) -> Scenario:
    sizes = log_normal_sizes(files, 64 * KIB, 1.5, 32 * MIB)
    title = f"{files:,} files, {size_text(sum(sizes))}, sizes log-normal around 64 KiB, HTTP"
    return Scenario("mixed", title, tuple(sizes), _clients(*_NATIVE))


def _large(size: int) -> Scenario:
    unhashed = rclone.client("rclone-none", "rclone --s3-disable-checksum", ["--s3-disable-checksum"])
    clients = (bulkup.CLIENT, bulkup.UNVERIFIED, *_clients("reference", *_NATIVE[2:], *_SLOW), unhashed)
    title = f"{LARGE_FILES} files of {size_text(size)}, HTTP"
    return Scenario("large", title, (size,) * LARGE_FILES, clients, in_flight=LARGE_FILES, rounds=_FEW_ROUNDS)


def _parts(size: int) -> Scenario:
    """Return one file, of which each client sends as many parts of one size at a time, with their checksums."""
    mebibytes, number = PART // MIB, str(PARTS_IN_FLIGHT)
    clients = (
        bulkup.s3("bulkup"),
        bulkup.s3("bulkup-crc", ["--checksum-algorithm", "crc64nvme"]),
        s5cmd.client(["--part-size", str(mebibytes), "--concurrency", number]),
        rclone.client(options=["--s3-chunk-size", f"{mebibytes}Mi", "--s3-upload-concurrency", number]),
        aws.client(f"  multipart_chunksize = {mebibytes}MB\n", checksums=True),
    )
    sizes = tuple(left for left in (PART, size % PART) if left)
    title = f"1 file of {size_text(size)} in parts of {size_text(PART)}, HTTP, with checksums"
    return Scenario("parts", title, (size,), clients, in_flight=PARTS_IN_FLIGHT, rounds=_FEW_ROUNDS, parts=sizes)


def _slow_link(files: int, control: str) -> Scenario:
    return _over("wan200", files, Link(40.0, 0.1, 200.0, control))


def _fast_link(files: int, control: str) -> Scenario:
    return _over("wan", files, Link(40.0, 0.1, 1000.0, control))


def _over(name: str, files: int, link: Link) -> Scenario:
    whole = f"{name}-bbr" if link.control == "bbr" else name
    title = f"{files:,} files of 256 KiB, HTTP, over {link.text()}"
    names = [name for name in _NATIVE if name != "bulkup-64" or link.control == "cubic"]
    return Scenario(whole, title, (256 * KIB,) * files, _clients(*names), link=link, rounds=_FEW_ROUNDS)


def _clients(*names: str) -> tuple[Client, ...]:
    return tuple(CLIENTS[name] for name in names)
