"""The costs of a journal row: `python -m benchmarks.cluster journal`.

The journal is written as a run writes it: several calls at a time, each with its tickets and then its files, a few at a
time. Paths come folder by folder, folders and the files in them in random order, as file systems list them. Nothing is
scanned or sent, so all CPU time is the journal's: that of its thread, and that of the loop that makes the statements.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import resource
import sqlite3
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import orjson

from bulkup.helpers.secrets import SecretUrl
from bulkup.journal import Destination, Journal
from bulkup.model.files import Digest, FoundFile, Identity, Source
from bulkup.model.items import Group, Item, Outcome
from bulkup.model.states import FileState
from bulkup.model.tickets import Receipt, Ticket

_NOW = 1_700_000_000.0
_PER_FOLDER = 1_000
_CALLS = 8  # at a time
_THREAD = "bulkup-journal"
_SIGNATURE = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=" + "0" * 400


@dataclass(frozen=True, slots=True)
class Load:
    """Sizes of the rows: files per call, files per report of outcomes, and the bytes of a path."""

    group: int = 100
    settled: int = 25
    path_bytes: int = 60


@dataclass(frozen=True, slots=True)
class Costs:
    """The costs up to a number of files. `bytes` are those of the file, `log_bytes` those of its log, which only grows.

    The others are per file since the number of files before: `thread` and `loop` CPU microseconds, `written` bytes that
    were written to the disk. `seconds` are those of the clock for all of these files.
    """

    files: int
    bytes: int
    log_bytes: int
    seconds: float
    thread: float
    loop: float
    written: float

    @property
    def bytes_per_file(self) -> float:
        """Return the bytes of the file divided by its rows."""
        return self.bytes / self.files


@dataclass(frozen=True, slots=True)
class Later:
    """Seconds to open the whole journal after a kill and after an end, and to rewrite it (`VACUUM`)."""

    opened_after_kill: float
    opened_after_end: float
    rewritten: float
    bytes_after: int


async def write(path: str, points: Sequence[int], load: Load) -> list[Costs]:
    """Write the rows of uploaded files into a new journal, and return the costs at each number of files in `points`.

    The run does not end, so the journal is left as by a kill.
    """
    costs: list[Costs] = []
    async with await Journal.open(path) as journal:
        (source,) = await journal.begin_run(
            Destination("s3", "https://bucket.example"), [Source(b"/data")], now=_NOW, kept_until=lambda _: None
        )
        groups = _groups(source, points[-1], load)
        written = 0
        for point in points:
            before, started = _Spent.now(), time.perf_counter()
            left = [(point - written) // load.group]
            async with asyncio.TaskGroup() as tasks:
                for _ in range(_CALLS):
                    tasks.create_task(_calls(journal, groups, left, load))
            spent, files = _Spent.now() - before, point - written
            log = _size(path + "-wal")
            costs.append(
                Costs(
                    point,
                    _pages(path),
                    log,
                    time.perf_counter() - started,
                    spent.thread / files * 1e6,
                    spent.loop / files * 1e6,
                    spent.written / files,
                )
            )
            written = point
    return costs


def afterwards(path: str) -> Later:
    """Open and rewrite a journal that `write` has left as by a kill, and return the seconds."""
    killed = _opening(path)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE runs SET ended_at = ?", (_NOW,))
        connection.commit()
    ended, started = _opening(path), time.perf_counter()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("VACUUM")
    return Later(killed, ended, time.perf_counter() - started, os.path.getsize(path))


async def _calls(journal: Journal, groups: Iterator[list[Item]], left: list[int], load: Load) -> None:
    while left[0] > 0:
        left[0] -= 1
        items = next(groups)
        group = Group(items)
        await journal.asked(group, [], _NOW)
        tickets = [_ticket(item) for item in items]
        await journal.ticketed(group, tickets)
        for start in range(0, len(items), load.settled):
            outcomes = [
                _outcome(item, ticket)
                for item, ticket in zip(
                    items[start : start + load.settled], tickets[start : start + load.settled], strict=True
                )
            ]
            await journal.settled(outcomes, _NOW)


def _groups(source: Source, files: int, load: Load) -> Iterator[list[Item]]:
    chance = random.Random(1)
    folders = list(range(-(-files // _PER_FOLDER)))
    chance.shuffle(folders)
    group: list[Item] = []
    for folder in folders:
        numbers = list(range(_PER_FOLDER))
        chance.shuffle(numbers)
        for number in numbers:
            group.append(_item(source, folder, number, load))
            if len(group) == load.group:
                yield group
                group = []


def _item(source: Source, folder: int, number: int, load: Load) -> Item:
    path = b"archive/%07d/" % folder
    name = b"%05d.jpg" % number
    path += b"x" * (load.path_bytes - len(path) - len(name)) + name
    inode = folder * _PER_FOLDER + number
    times = _NOW * 1e9 + inode * 1_000_003
    return Item(FoundFile(source, path, Identity(10_240 + number, int(times), int(times) + 7, inode, 65_024)))


def _ticket(item: Item) -> Ticket:
    key = item.file.path.decode()
    return Ticket(SecretUrl(f"https://bucket.example/{key}?{_SIGNATURE}"), key, _NOW + 3600)


def _outcome(item: Item, ticket: Ticket) -> Outcome:
    digest = Digest(random.randbytes(16))
    item.ticket = ticket
    item.history.attempts = 1
    item.receipt = Receipt(digest, item.file.identity, digest.hex, True, _NOW)
    return Outcome(item, FileState.UPLOADED, remote={})


@dataclass(frozen=True, slots=True)
class _Spent:
    """CPU seconds of the journal's thread and of the loop's, and bytes written to the disk."""

    thread: float
    loop: float
    written: int

    def __sub__(self, other: _Spent) -> _Spent:
        return _Spent(self.thread - other.thread, self.loop - other.loop, self.written - other.written)

    @classmethod
    def now(cls) -> _Spent:
        """Return those of this process so far."""
        (number,) = [thread.native_id for thread in threading.enumerate() if thread.name == _THREAD]
        with open(f"/proc/self/task/{number}/schedstat", encoding="ascii") as file:
            used = int(file.read().split()[0]) / 1e9
        with open("/proc/self/io", encoding="ascii") as file:
            (line,) = [line for line in file if line.startswith("write_bytes:")]
        return cls(used, time.thread_time(), int(line.split()[1]))


def _pages(path: str) -> int:
    """Return the bytes of the journal, including pages that are only in its log."""
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    return int(pages * size)


def _size(path: str) -> int:
    return os.path.getsize(path) if os.path.exists(path) else 0


def _opening(path: str) -> float:
    started = time.perf_counter()

    async def opened() -> None:
        async with await Journal.open(path):
            pass

    asyncio.run(opened())
    return time.perf_counter() - started


def main(given: list[str]) -> int:
    """Measure, print a table, and write the figures as JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cluster journal", description=__doc__)
    parser.add_argument("--files", type=int, nargs="+", default=[100_000, 1_000_000], help="where the costs are read")
    parser.add_argument("--path-bytes", type=int, default=60)
    parser.add_argument("--settled", type=int, default=25, help="files in a report of outcomes")
    parser.add_argument("--folder", help="where the journal is written (default: TMPDIR)")
    parser.add_argument("--json", metavar="FILE")
    arguments = parser.parse_args(given)
    load = Load(settled=arguments.settled, path_bytes=arguments.path_bytes)
    with tempfile.TemporaryDirectory(prefix="bulkup-journal-", dir=arguments.folder) as folder:
        path = os.path.join(folder, "journal")
        costs = asyncio.run(write(path, arguments.files, load))
        later = afterwards(path)
    print("| files | bytes a file | written to disk | log, MiB | files/s | thread, us a file | loop, us a file |")
    print("|---|---|---|---|---|---|---|")
    written = 0
    for one in costs:
        rate = (one.files - written) / one.seconds
        written = one.files
        print(
            f"| {one.files:,} | {one.bytes_per_file:.0f} | {one.written:,.0f} | {one.log_bytes / 2**20:.0f}"
            f" | {rate:,.0f} | {one.thread:.1f} | {one.loop:.1f} |"
        )
    print(
        f"\nopened after a kill {later.opened_after_kill:.1f} s, after an end {later.opened_after_end:.2f} s;"
        f" VACUUM {later.rewritten:.1f} s, then {later.bytes_after / written:.0f} bytes a file;"
        f" peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB"
    )
    if arguments.json:
        with open(arguments.json, "wb") as file:
            file.write(orjson.dumps({"costs": [asdict(one) for one in costs], "later": asdict(later)}))
    return 0
