"""Shared by the tests of the journal: items, tickets, runs on a real SQLite file, and the rows that readers see."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

from bulkup.helpers.secrets import Secret, SecretUrl
from bulkup.journal import Destination, Journal, KnownFile, Reader, read_only_view
from bulkup.journal.database import open_for_writing
from bulkup.model.files import Digest, FoundFile, Identity, Source
from bulkup.model.items import Group, Item, Outcome
from bulkup.model.problems import Problem, ProblemKind
from bulkup.model.shard import Shard
from bulkup.model.states import FileState
from bulkup.model.tickets import Receipt, Ticket

KeptUntil = Callable[[float], float | None]
NOW = 1_700_000_000.0
THERE = Destination("magic-hour", "https://api.example")
ROOT = b"/data/media"


def identity(size: int = 3, mtime: int = 1, ctime: int = 1, inode: int = 1, device: int = 1) -> Identity:
    return Identity(size, mtime, ctime, inode, device)


def an_item(source: Source, path: bytes = b"a.mp4", **values: Any) -> Item:
    return Item(FoundFile(source, path, values.pop("identity", identity())), **values)


def a_ticket(name: str, expires_at: float | None = NOW + 3600, signature: str = "SIGNATURE") -> Ticket:
    return Ticket(
        url=SecretUrl(f"https://store.example/{name}?Signature={signature}"),
        remote_id=name,
        expires_at=expires_at,
        headers={"x-amz-security-token": Secret(signature), "x-plain": "yes"},
        remote={"id": name},
        content_md5=True,
    )


def receipt_of(item: Item, md5: bytes = b"m" * 16, *, verified: bool = True) -> Receipt:
    return Receipt(Digest(md5), item.file.identity, "etag", verified, NOW)


def problem(text: str = "it broke") -> Problem:
    return Problem(ProblemKind.FAILED, text)


@contextlib.asynccontextmanager
async def running(
    path: Path,
    *roots: bytes,
    now: float = NOW,
    destination: Destination = THERE,
    kept_until: KeptUntil = lambda _: None,
    connection: sqlite3.Connection | None = None,
    creates_ids: bool = True,
    shard: Shard | None = None,
) -> AsyncGenerator[tuple[Journal, tuple[Source, ...]], None]:
    """Open the journal, start a run, and close the journal at the end.

    A test that observes or limits the journal's own connection passes one from `open_for_writing`.
    """
    connection = open_for_writing(str(path)) if connection is None else connection
    async with Journal(connection, str(path)) as journal:
        sources = tuple(Source(root) for root in roots or (ROOT,))
        numbered = await journal.begin_run(
            destination, sources, now=now, kept_until=kept_until, creates_ids=creates_ids, shard=shard
        )
        yield journal, numbered


def found(journal: Journal, item: Item) -> KnownFile | None:
    with contextlib.closing(journal.lookup()) as lookup:
        return lookup.find([item.file])[0]


def found_by_readers(journal: Journal, item: Item) -> KnownFile | None:
    """Return the row as a preview sees it, also while the file is in a group of this run."""
    with read_only_view(journal.path, THERE, [item.file.source]) as view:
        return view.lookup.find([item.file])[0] if view.lookup is not None else None


def rows(path: Path) -> dict[bytes, FileState]:
    with Reader(str(path)) as reader:
        return {row.path: row.status for row in reader.manifest()}


def killed(path: Path, to: Path) -> Path:
    """Return the journal as a kill at this moment would leave it: a copy of the file and its log in the folder `to`."""
    to.mkdir()
    for end in ("", "-wal"):
        shutil.copy(f"{path}{end}", to)
    return to / path.name


def raw_bytes(folder: Path) -> bytes:
    """Return every byte of every file in the journal's folder: the file, its log, its index, the lock."""
    return b"".join(entry.read_bytes() for entry in sorted(folder.iterdir()))


async def ask(journal: Journal, *items: Item) -> Group:
    """Record the intent to ask for the tickets of these files."""
    group = Group(items)
    await journal.asked(group, [], NOW)
    return group


async def take_ticket(journal: Journal, item: Item, ticket: Ticket) -> None:
    """Record a call for one file, and its answer."""
    await journal.ticketed(await ask(journal, item), [ticket])


async def upload_one(journal: Journal, item: Item, ticket: Ticket) -> None:
    """Take an item through all states to `uploaded`."""
    await take_ticket(journal, item, ticket)
    item.ticket = ticket
    item.receipt = receipt_of(item)
    await journal.settled([Outcome(item, FileState.UPLOADED)], NOW)


def journal_0_1_0(path: Path) -> None:
    """Write the journal of bulkup 0.1.0 that the dump beside this module holds."""
    journal_of_dump(path, "journal_0_1_0.sql")


def journal_of_dump(path: Path, dump: str) -> None:
    """Write the journal that the dump of this name beside this module holds."""
    script = Path(__file__).with_name(dump).read_text("utf-8")
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(script)
