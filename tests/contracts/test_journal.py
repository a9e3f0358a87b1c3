"""The rules of the journal (docs/design.md section 6), tested with real SQLite files."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import json
import os
import random
import secrets
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from journal_world import (
    NOW,
    ROOT,
    THERE,
    a_ticket,
    an_item,
    ask,
    found,
    found_by_readers,
    identity,
    problem,
    raw_bytes,
    receipt_of,
    rows,
    running,
    take_ticket,
    upload_one,
)
from structlog.testing import capture_logs

from bulkup.errors import JournalError, JournalLockedError
from bulkup.journal import Claim, Destination, Journal, Lock, Reader, prune, read_only_view
from bulkup.journal.database import migrate, migrations, open_for_writing, sqlite_errors
from bulkup.journal.error_mapping import DamagedJournalError
from bulkup.journal.lock import LockOptions
from bulkup.journal.reader import ReaderOptions
from bulkup.journal.ticket_text import without_secrets
from bulkup.journal.writer import Statement, Writer
from bulkup.model.files import Digest, Source
from bulkup.model.items import Group, Item, Outcome
from bulkup.model.journal_rows import ManifestRow, OrphanRow
from bulkup.model.states import DONE, FileState
from bulkup.model.tickets import Ticket


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "bulkup" / "journal.sqlite3"


async def test_a_file_passes_through_the_states_in_order(path: Path) -> None:
    """After each awaited step, readers and the next run's lookup see the new state."""
    async with running(path, kept_until=lambda stored_at: stored_at + 60.0) as (journal, (source,)):
        item, ticket = an_item(source), a_ticket("remote-1")
        assert found(journal, item) is None
        await journal.pending([item])
        assert rows(path) == {b"a.mp4": FileState.PENDING}
        group = await ask(journal, item)
        assert rows(path) == {b"a.mp4": FileState.ASKED}
        await journal.ticketed(group, [ticket])
        item.ticket, item.receipt, item.history.attempts = ticket, receipt_of(item), 2
        await journal.stored([item])
        with contextlib.closing(journal.lookup()) as lookup:
            (stored,) = lookup.find([item.file])
        assert stored is not None
        bare = without_secrets(ticket)
        assert (stored.state, stored.receipt, stored.ticket) == (FileState.STORED, item.receipt, bare)
        await journal.settled([Outcome(item, FileState.UPLOADED, remote={"more": 1})], NOW)
    with Reader(str(path)) as reader:
        (row,) = reader.manifest()
    assert (row.status, row.remote_id, row.attempts, row.error) == (FileState.UPLOADED, "remote-1", 2, None)
    assert row.remote == {"id": "remote-1", "more": 1}
    assert (row.md5, row.etag, row.uploaded_at, row.kept_until) == ((b"m" * 16).hex(), "etag", NOW, NOW + 60)
    assert (row.path, row.source, row.size, row.provider) == (b"a.mp4", ROOT, 3, "magic-hour")


@pytest.mark.parametrize(
    "state", [FileState.FAILED, FileState.REJECTED, FileState.CHANGED, FileState.UNREADABLE, FileState.UNVERIFIED]
)
async def test_terminal_states_are_recorded(path: Path, state: FileState) -> None:
    """Each with its reason. Only `unverified` counts as uploaded."""
    async with running(path) as (journal, (source,)):
        item = an_item(source, ticket=a_ticket("remote-1"))
        item.receipt = receipt_of(item, verified=False)
        await ask(journal, item)
        await journal.settled([Outcome(item, state, problem("no luck"))], NOW)
    with Reader(str(path)) as reader:
        (row,) = reader.manifest()
        orphans = [orphan.remote_id for orphan in reader.orphans()]
    done = state is FileState.UNVERIFIED
    assert (row.status, row.remote_id) == (state, "remote-1" if done else None)
    assert row.error == (None if done else "no luck")
    assert orphans == ([] if done else ["remote-1"])


async def test_a_file_has_one_row(path: Path) -> None:
    """A file asked for again gets its new identity, and keeps its old id until it has a new one."""
    async with running(path) as (journal, (source,)):
        await upload_one(journal, an_item(source), a_ticket("old"))
        changed = an_item(source, identity=identity(size=9, mtime=9))
        await ask(journal, changed)
        with Reader(str(path)) as reader:
            (row,) = reader.manifest()
        assert (row.status, row.size, row.remote_id) == (FileState.ASKED, 9, "old")
        await upload_one(journal, changed, a_ticket("new"))
        with Reader(str(path)) as reader:
            (row,) = reader.manifest()
        assert (row.status, row.size, row.remote_id) == (FileState.UPLOADED, 9, "new")


async def test_destinations_have_separate_rows(path: Path) -> None:
    """A file of one destination is unknown at another."""
    async with running(path) as (journal, (source,)):
        await upload_one(journal, an_item(source), a_ticket("here"))
    for other in (
        Destination("move-ugc", THERE.base_url),
        Destination("magic-hour", "https://other"),
        Destination("magic-hour", THERE.base_url, "scope"),
    ):
        async with running(path, destination=other) as (journal, (source,)):
            assert found(journal, an_item(source)) is None
            await upload_one(journal, an_item(source), a_ticket("there"))
    async with running(path) as (journal, (source,)):
        known = found(journal, an_item(source))
        assert known is not None
        assert known.state is FileState.UPLOADED
    with Reader(str(path)) as reader:
        assert len(list(reader.manifest())) == 4


async def test_paths_are_bytes(path: Path) -> None:
    """Paths that are not UTF-8, contain newlines or differ only in case are separate keys."""
    names = [b"\xff\xfe.mp4", b"new\nline.mp4", b"A.mp4", b"a.mp4", b"x" * 251 + b".mp4", "é.mp4".encode(), b"%.mp4"]
    async with running(path) as (journal, (source,)):
        await journal.pending([an_item(source, name) for name in names])
        assert all(found(journal, an_item(source, name)) is not None for name in names)
    assert set(rows(path)) == set(names)


async def test_large_inodes_and_devices(path: Path) -> None:
    """Inode and device numbers of 64 bits are read back unchanged."""
    large = identity(inode=2**64 - 1, device=2**63)
    async with running(path) as (journal, (source,)):
        item = an_item(source, identity=large)
        await upload_one(journal, item, a_ticket("remote-1"))
        known = found(journal, item)
    assert known is not None
    assert known.identity == large


async def test_permissions(path: Path) -> None:
    """The folder has mode 0700 and each file 0600, for any umask: log and index hold tickets too."""
    before = os.umask(0)
    try:
        with Lock(str(path)) as lock:
            await lock.acquire(wait=False, sleep=anyio.sleep)
            async with running(path) as (journal, (source,)):
                await ask(journal, an_item(source))
                files = {entry.name: stat.S_IMODE(entry.stat().st_mode) for entry in path.parent.iterdir()}
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert set(files) == {path.name + end for end in ("", "-wal", "-shm", ".lock")}
    assert set(files.values()) == {0o600}


def test_durable_settings(path: Path) -> None:
    """The file is in WAL mode, every commit is flushed, and deleted rows are overwritten."""
    with contextlib.closing(open_for_writing(str(path))) as connection:
        pragmas = {
            name: connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "fullfsync", "secure_delete", "user_version")
        }
    assert pragmas == {
        "journal_mode": "wal",
        "synchronous": 2,
        "fullfsync": 1,
        "secure_delete": 1,
        "user_version": len(migrations()),
    }


async def test_migration_runs_once(path: Path) -> None:
    """A second script runs on a journal of version 1 once, and does not change its rows."""
    async with running(path) as (journal, (source,)):
        await upload_one(journal, an_item(source), a_ticket("remote-1"))
    scripts = [*migrations(), "CREATE TABLE extra (x); INSERT INTO extra VALUES (1);"]
    for _ in range(2):
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
            migrate(connection, scripts)
            assert connection.execute("PRAGMA user_version").fetchone() == (len(scripts),)
            assert connection.execute("SELECT count(*) FROM extra").fetchone() == (1,)
            assert connection.execute("SELECT state FROM files").fetchall() == [("uploaded",)]


async def test_a_failed_migration_changes_nothing(path: Path) -> None:
    """A script that fails leaves neither its tables nor its version number."""
    async with running(path):
        pass
    scripts = [*migrations(), "CREATE TABLE extra (x); INSERT INTO nowhere VALUES (1);"]
    connection = sqlite3.connect(path, isolation_level=None)
    with contextlib.closing(connection), pytest.raises(sqlite3.OperationalError):
        migrate(connection, scripts)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (len(migrations()),)
        assert connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'extra'").fetchone() == (0,)


async def test_newer_version_is_refused(path: Path) -> None:
    """A journal of a newer bulkup is neither read nor written, and not reported as damaged."""
    async with running(path):
        pass
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {len(migrations()) + 1}")
    before = path.read_bytes()
    with pytest.raises(JournalError, match="newer") as writing:
        await Journal.open(str(path))
    with pytest.raises(JournalError, match="newer"):
        Reader(str(path))
    assert "upgrade" in writing.value.hint
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir() if "damaged" in entry.name] == []


def _garbage(data: bytes) -> bytes:
    return random.Random(1).randbytes(len(data))


def _truncated(data: bytes) -> bytes:
    return data[: len(data) // 2 + 100]


def _overwritten(data: bytes) -> bytes:
    start = len(data) // 3
    return data[:start] + b"\xff" * (len(data) // 3) + data[2 * len(data) // 3 :]


@pytest.mark.parametrize("damage", [_garbage, _truncated, _overwritten])
async def test_damaged_journal(path: Path, damage: Callable[[bytes], bytes]) -> None:
    """The error names a way out, a private copy is kept, and the file is not changed."""
    async with running(path) as (journal, (source,)):
        await journal.pending([an_item(source, b"%04d.mp4" % number) for number in range(2000)])
    broken = damage(path.read_bytes())
    assert len(broken) % 4096 or damage is not _truncated
    path.write_bytes(broken)
    with pytest.raises(JournalError, match="damaged") as raised:
        await Journal.open(str(path))
    (copy,) = [entry for entry in path.parent.iterdir() if "damaged" in entry.name]
    assert copy.read_bytes() == broken
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert path.read_bytes() == broken
    assert str(copy) in raised.value.message
    assert "backup" in raised.value.hint


async def journal_with_a_ticket(path: Path, signature: str) -> bytes:
    """Leave a ticket in the file, as an interrupted run does, and return the file's bytes."""
    async with running(path) as (journal, (source,)):
        item = an_item(source)
        await take_ticket(journal, item, a_ticket("remote-1", signature=signature))
    return path.read_bytes()


def flip(path: Path, place: int, bit: int) -> bytes:
    content = bytearray(path.read_bytes())
    content[place] ^= 1 << bit
    path.write_bytes(content)
    return bytes(content)


@pytest.mark.parametrize("bit", range(8))
@pytest.mark.parametrize("where", ["https://store.example/", "SECRET-OF-THE-TICKET", "remote-1", '"method"'])
async def test_a_flipped_bit_in_a_ticket(path: Path, where: str, bit: int) -> None:
    """It is damage at the start of a run, before anything is written. No error has a byte of the ticket."""
    content = await journal_with_a_ticket(path, "SECRET-OF-THE-TICKET")
    flipped = flip(path, content.rindex(where.encode()) + len(where) // 2, bit)
    with pytest.raises(DamagedJournalError, match="is damaged") as raised:
        await Journal.open(str(path))
    text = "".join(traceback.format_exception(raised.value))
    assert "OF-THE" not in text
    assert "store.example" not in text
    assert path.read_bytes() == flipped
    (copy,) = path.parent.glob("*.damaged-*")
    assert copy.read_bytes() == flipped


async def test_readers_do_not_show_texts_that_cannot_be_decoded(path: Path) -> None:
    """The sqlite3 module's own error contains the whole text."""
    async with running(path) as (journal, (source,)):
        await upload_one(journal, an_item(source), a_ticket("remote-THIS-ONE"))
        await journal.unknown_ids(1, "a REASON-of-ours", NOW)
    flip(path, path.read_bytes().rindex(b"remote-THIS-ONE") + 2, 7)
    flip(path, path.read_bytes().rindex(b"a REASON-of-ours") + 4, 7)
    with Reader(str(path)) as reader:
        for read, secret in ((reader.manifest, "THIS-ONE"), (reader.orphans, "of-ours")):
            with pytest.raises(DamagedJournalError) as raised:
                list(read())
            assert secret not in "".join(traceback.format_exception(raised.value))


async def test_a_row_that_cannot_be_what_was_written(path: Path) -> None:
    """A state that does not exist, and JSON that is none, are damage for readers and lookups."""
    async with running(path) as (journal, (source,)):
        await upload_one(journal, an_item(source), a_ticket("remote-1"))
    for column, value in (("state", "uplOaded"), ("remote", "{")):
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute(f"UPDATE files SET {column} = ?", (value,))
        with Reader(str(path)) as reader, pytest.raises(DamagedJournalError):
            list(reader.manifest())


async def test_nothing_is_written_after_damage_was_found(path: Path) -> None:
    """A lookup finds a damaged ticket during the run. Later rows are refused, and the file stays as it was."""
    await journal_with_a_ticket(path, "SIGNATURE")
    async with running(path) as (journal, (source,)):
        item = an_item(source)
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("UPDATE tickets SET ticket = replace(ticket, 'PUT', 'GET')")
        before = path.read_bytes()
        log = Path(f"{path}-wal").read_bytes()
        with pytest.raises(DamagedJournalError):
            found(journal, item)
        with pytest.raises(DamagedJournalError):
            await journal.settled([Outcome(item, FileState.FAILED, problem())], NOW)
    assert (path.read_bytes(), Path(f"{path}-wal").read_bytes()) == (before, log)
    assert len(list(path.parent.glob("*.damaged-*"))) == 2  # the file and its log


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("SQLITE_IOERR_SHMMAP", "shared memory"),
        ("SQLITE_IOERR_SHMOPEN", "shared memory"),
        ("SQLITE_IOERR_SHMLOCK", "locks"),
        ("SQLITE_IOERR_LOCK", "locks"),
        ("SQLITE_IOERR_DELETE", "removal"),
        ("SQLITE_IOERR_WRITE", "disk"),
    ],
)
def test_what_the_file_system_lacks_is_named(name: str, said: str) -> None:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode, error.sqlite_errorname = getattr(sqlite3, name), name
    with pytest.raises(JournalError, match=said), sqlite_errors("journal"):
        raise error


async def test_a_path_that_is_not_utf8(tmp_path: Path) -> None:
    """Runs and readers use it, and the file has exactly this name."""
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/d\xff/j?ournal%41#.sqlite3"))
    async with running(path) as (journal, (source,)):
        await upload_one(journal, an_item(source), a_ticket("remote-1"))
    assert path.exists()
    assert list(rows(path)) == [b"a.mp4"]


async def test_sizes_whose_sum_exceeds_64_bits(path: Path) -> None:
    """Sparse files of 8 EiB: readers show the true sum, and the summary of the run is recorded."""
    size = (1 << 63) - 1
    async with running(path) as (journal, (source,)):
        for number in range(4):
            item = an_item(source, b"%d" % number, identity=identity(size=size))
            await upload_one(journal, item, a_ticket(f"remote-{number}"))
        await journal.end_run(now=NOW, exit_code=0, summary={"bytes": 4 * size}, finished=True)
    with Reader(str(path)) as reader:
        status = reader.status()
        assert status.bytes == {FileState.UPLOADED: 4 * size}
        assert status.last_run is not None
        assert status.last_run.summary == {"bytes": 4 * size}


async def test_journal_that_is_a_directory(tmp_path: Path) -> None:
    """A path that cannot be a file is a `JournalError`, not a traceback."""
    with pytest.raises(JournalError, match="cannot use"):
        await Journal.open(str(tmp_path))
    with pytest.raises(JournalError, match="no journal"):
        Reader(str(tmp_path / "none.sqlite3"))


async def test_second_holder_is_refused(path: Path) -> None:
    """One process at a time holds the lock, the error names it, and after a release the next one gets it."""
    with Lock(str(path)) as first:
        await first.acquire(wait=False, sleep=anyio.sleep)
        assert Lock(str(path)).is_held()
        with Lock(str(path)) as second, pytest.raises(JournalLockedError, match=str(os.getpid())):
            await second.acquire(wait=False, sleep=anyio.sleep)
    with Lock(str(path)) as third:
        assert not third.is_held()
        await third.acquire(wait=False, sleep=anyio.sleep)


async def test_waiting_for_the_lock(path: Path) -> None:
    """A waiting run gets the lock when the holder releases it."""
    first, second = Lock(str(path)), Lock(str(path))
    naps: list[float] = []

    async def nap(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 7:
            first.release()

    with first, second:
        await first.acquire(wait=False, sleep=anyio.sleep)
        await second.acquire(wait=True, sleep=nap)
        assert len(naps) == 7
        assert second.is_held()


async def test_a_check_for_a_run_does_not_block_a_run(path: Path) -> None:
    """A run starts although another process checks at the same time whether a run holds the lock."""
    with Lock(str(path)) as lock:
        await lock.acquire(wait=False, sleep=anyio.sleep)
    prober = os.open(str(path) + ".lock", os.O_RDONLY)
    fcntl.flock(prober, fcntl.LOCK_SH)

    async def nap(_: float) -> None:
        fcntl.flock(prober, fcntl.LOCK_UN)

    try:
        with Lock(str(path)) as run:
            await run.acquire(wait=False, sleep=nap)
            assert Lock(str(path)).is_held()
            assert Lock(str(path)).is_held()
    finally:
        os.close(prober)


@pytest.mark.parametrize(("least_free", "kept"), [(0, 4096), (1 << 62, 0)], ids=["space", "little space"])
async def test_the_lock_keeps_space_for_the_end_of_a_run(path: Path, least_free: int, kept: int) -> None:
    """While it is held, until the space is given up. A disk with little space is left alone."""
    file, options = Path(f"{path}.lock"), LockOptions(reserve=4096, least_free=least_free)
    line = f"{os.getpid()}\n".encode()
    for _ in range(2):
        with Lock(str(path), options) as lock:
            await lock.acquire(wait=False, sleep=anyio.sleep)
            assert file.stat().st_size == max(kept, len(line))
            assert lock.holder() == str(os.getpid())
            with Lock(str(path)) as second, pytest.raises(JournalLockedError, match=str(os.getpid())):
                await second.acquire(wait=False, sleep=anyio.sleep)
            assert file.stat().st_size == max(kept, len(line))
        assert file.read_bytes() == line
    with Lock(str(path), options) as lock:
        await lock.acquire(wait=False, sleep=anyio.sleep)
        for _ in range(2):
            lock.free_reserve()
            assert file.read_bytes() == line
        assert lock.is_held()


_HOLDER = """
import asyncio, sys, time
from bulkup.journal import Lock
lock = Lock(sys.argv[1])
asyncio.run(lock.acquire(wait=False, sleep=asyncio.sleep))
print("held", flush=True)
time.sleep(600)
"""


async def test_a_killed_process_releases_the_lock(path: Path) -> None:
    """The system releases the lock with the process."""
    with subprocess.Popen([sys.executable, "-c", _HOLDER, str(path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == b"held\n"
            with Lock(str(path)) as lock, pytest.raises(JournalLockedError, match=str(process.pid)):
                await lock.acquire(wait=False, sleep=anyio.sleep)
        finally:
            process.kill()
    assert not Lock(str(path)).is_held()
    with Lock(str(path)) as lock:
        await lock.acquire(wait=False, sleep=anyio.sleep)


async def test_a_removed_lock_file_lets_no_second_run_in(path: Path) -> None:
    """The journal's own inode is locked too, by whatever name it is reached. The first run ends at its next row."""
    with Lock(str(path)) as first:
        await first.acquire(wait=False, sleep=anyio.sleep)
        async with running(path) as (journal, (source,)):
            os.unlink(f"{path}.lock")
            with Lock(str(path)) as second, pytest.raises(JournalLockedError):
                await second.acquire(wait=False, sleep=anyio.sleep)
            with pytest.raises(JournalError, match="lock"):
                await journal.pending([an_item(source)])


@pytest.mark.parametrize("make", [os.symlink, os.link], ids=["symbolic", "hard"])
async def test_a_lock_that_is_a_link_does_not_change_its_target(path: Path, make: Callable[[str, str], None]) -> None:
    """Such a lock is refused, and the file behind it keeps its content."""
    target = path.parent / "precious"
    path.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(b"precious")
    make(str(target), f"{path}.lock")
    with Lock(str(path)) as lock, pytest.raises(JournalError, match="link"):
        await lock.acquire(wait=False, sleep=anyio.sleep)
    assert target.read_bytes() == b"precious"
    assert lock.holder() == ""


async def test_nothing_is_created_beside_a_device(tmp_path: Path) -> None:
    """`--journal /dev/null` is refused before a lock is created."""
    os.mkfifo(tmp_path / "pipe")
    with Lock(str(tmp_path / "pipe")) as lock, pytest.raises(JournalError, match="not a regular file"):
        await lock.acquire(wait=False, sleep=anyio.sleep)
    assert os.listdir(tmp_path) == ["pipe"]


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
async def test_a_file_system_without_locks(path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """A run is refused with the cause, and no run is shown as running."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Path(f"{path}.lock").touch()

    def refuse(*_: object) -> None:
        raise OSError(code, "no locks")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with Lock(str(path)) as lock, pytest.raises(JournalError, match="does not allow locks"):
        await lock.acquire(wait=False, sleep=anyio.sleep)
    assert not Lock(str(path)).is_held()


@pytest.mark.parametrize("watched", [False, True], ids=["alone", "with a reader"])
async def test_finished_run_leaves_no_signature(path: Path, watched: bool) -> None:
    """However its files ended, no byte of a signature is left in the file, its log or its index."""
    signature = secrets.token_hex(20)
    ends = (FileState.UPLOADED, FileState.UNVERIFIED, FileState.FAILED, FileState.CHANGED, None)
    with contextlib.ExitStack() as stack:
        async with running(path) as (journal, (source,)):
            if watched:
                stack.enter_context(Reader(str(path)))
            items = []
            for number in range(300):
                item = an_item(source, b"%04d.mp4" % number)
                ticket = a_ticket(f"remote-{number}", signature=signature)
                await take_ticket(journal, item, ticket)
                item.ticket, item.receipt = ticket, receipt_of(item)
                items.append(item)
            again = Group([items[0]])
            await journal.asked(again, [(items[0], a_ticket("remote-0", signature=signature))], NOW)
            renewed = a_ticket("remote-0b", signature=signature)
            await journal.ticketed(again, [renewed])
            items[0].ticket = renewed
            assert signature.encode() in raw_bytes(path.parent)
            for number, item in enumerate(items):
                await journal.settled([Outcome(item, ends[number % len(ends)], problem())], NOW)
            await journal.end_run(now=NOW, exit_code=0, summary={}, finished=True)
        assert signature.encode() not in raw_bytes(path.parent)
        with contextlib.closing(sqlite3.connect(path)) as connection:
            assert connection.execute("SELECT count(*) FROM tickets").fetchone() == (0,)


async def test_a_reader_that_pauses_holds_no_transaction(path: Path) -> None:
    """`manifest | less` may stand still during a run. The log is emptied, and no signature is left in it."""
    signature = secrets.token_hex(20)
    async with running(path) as (journal, (source,)):
        for number in range(4):
            await upload_one(journal, an_item(source, b"%d" % number), a_ticket(f"old-{number}"))
    with Reader(str(path), options=ReaderOptions(rows_per_page=1)) as reader:
        paused = [reader.manifest(), reader.runs()]
        assert all(next(rows) for rows in paused)
        async with running(path) as (journal, (source,)):
            await upload_one(journal, an_item(source, b"9"), a_ticket("new", signature=signature))
            await journal.end_run(now=NOW, exit_code=0, summary={}, finished=True)
        assert signature.encode() not in raw_bytes(path.parent)
        assert not os.path.getsize(f"{path}-wal")
        assert [row.path for row in paused[0] if isinstance(row, ManifestRow)] == [b"1", b"2", b"3", b"9"]
        assert not list(paused[1])


@pytest.mark.parametrize("rows_per_page", [1, 2, 3, 500])
async def test_pages_of_every_size_have_the_same_rows(path: Path, rows_per_page: int) -> None:
    """Each row is there once, in order, for two sources and several runs."""
    for number in range(3):
        async with running(path, b"/a", b"/b") as (journal, sources):
            for source in sources:
                item = an_item(source, b"%d" % number)
                await upload_one(journal, item, a_ticket(f"{number}-{source.id}"))
                await journal.settled([Outcome(item, FileState.FAILED, problem())], NOW)
            await journal.unknown_ids(number + 1, "cut off", NOW)
    with Reader(str(path), options=ReaderOptions(rows_per_page=rows_per_page)) as reader:
        files = [(row.source, row.path) for row in reader.manifest()]
        assert files == [(root, b"%d" % number) for root in (b"/a", b"/b") for number in range(3)]
        assert len({run.run for run in reader.runs()}) == 3
        assert [orphan.count for orphan in reader.orphans() if orphan.remote_id is None] == [1, 2, 3]


async def test_a_log_that_cannot_be_emptied_is_reported(path: Path) -> None:
    """Another program holds a transaction: the run says that signatures may be left in the log."""
    async with running(path):
        pass
    connection = open_for_writing(str(path))
    connection.execute("PRAGMA busy_timeout = 10")
    with contextlib.closing(sqlite3.connect(path)) as other, capture_logs() as logs:
        other.execute("BEGIN")
        other.execute("SELECT * FROM runs").fetchall()
        async with running(path, connection=connection) as (journal, (source,)):
            await upload_one(journal, an_item(source), a_ticket("remote-1"))
    assert [(line["event"], line["journal"]) for line in logs] == [("journal.log_kept", str(path))]


async def test_the_ticket_of_a_settled_file_is_erased(path: Path) -> None:
    """It is gone from the file after the next checkpoint, and other tickets stay."""
    gone, live = secrets.token_hex(20), secrets.token_hex(20)
    async with running(path) as (journal, (source,)):
        await upload_one(journal, an_item(source), a_ticket("remote-1", signature=gone))
        other = an_item(source, b"b.mp4")
        await take_ticket(journal, other, a_ticket("remote-2", signature=live))
    assert gone.encode() not in raw_bytes(path.parent)
    assert live.encode() in raw_bytes(path.parent)


async def test_tickets_survive_an_unfinished_run(path: Path) -> None:
    """The next run reads the tickets of an interrupted one, with headers and secrets."""
    ticket = a_ticket("remote-1")
    async with running(path) as (journal, (source,)):
        item = an_item(source)
        await take_ticket(journal, item, ticket)
    async with running(path, now=NOW + 10) as (journal, (source,)):
        known = found(journal, an_item(source))
    assert known is not None
    assert (known.state, known.ticket, known.identity) == (FileState.TICKETED, ticket, identity())
    assert known.ticket is not None
    assert known.ticket.headers == ticket.headers
    assert known.ticket.url.reveal() == ticket.url.reveal()


async def test_given_back_items(path: Path) -> None:
    """An item given back keeps its live ticket. Without one it is pending, and keeps its digest."""
    async with running(path) as (journal, (source,)):
        with_ticket, without = an_item(source), an_item(source, b"b.mp4", digest=Digest(b"d" * 16))
        group = await ask(journal, with_ticket, without)
        with_ticket.ticket = a_ticket("remote-1")
        await journal.ticketed(group, [with_ticket.ticket, None])
        await journal.settled([Outcome(with_ticket, None), Outcome(without, None)], NOW)
        first, second = found_by_readers(journal, with_ticket), found(journal, without)
    assert first is not None
    assert second is not None
    assert (first.state, first.ticket) == (FileState.TICKETED, with_ticket.ticket)
    assert (second.state, second.digest) == (FileState.PENDING, without.digest)


async def test_uploaded_file_given_back_unread_stays_uploaded(path: Path) -> None:
    """A file that was to be hashed again, but was not because the run ended, is still uploaded."""
    async with running(path) as (journal, (source,)):
        await upload_one(journal, an_item(source), a_ticket("remote-1"))
    async with running(path) as (journal, (source,)):
        again = an_item(source, identity=identity(ctime=2), known_digest=Digest(b"m" * 16))
        await journal.settled([Outcome(again, None)], NOW)
        known = found(journal, again)
    assert known is not None
    assert (known.state, known.digest, known.identity) == (FileState.UPLOADED, Digest(b"m" * 16), identity())


async def test_interrupted_calls_are_unknown_ids(path: Path) -> None:
    """Calls without an answer are counted once, and their files are pending again."""
    async with running(path) as (journal, (source,)):
        await take_ticket(journal, an_item(source, b"0.mp4"), a_ticket("remote-0"))
        await ask(journal, *(an_item(source, b"%d.mp4" % number) for number in range(1, 5)))
    for _ in range(2):
        async with running(path, now=NOW + 1):
            pass
    with Reader(str(path)) as reader:
        (orphan,) = reader.orphans()
        status = reader.status()
    assert (orphan.remote_id, orphan.count, orphan.path) == (None, 4, None)
    assert (status.unknown_ids, status.orphans) == (4, 0)
    assert Counter(rows(path).values()) == {FileState.PENDING: 4, FileState.TICKETED: 1}


async def test_unknown_ids_of_a_failed_call(path: Path) -> None:
    """A call that may have created ids is recorded with the number of ids and the reason."""
    async with running(path) as (journal, _):
        await journal.unknown_ids(7, "the connection broke", NOW)
    with Reader(str(path)) as reader:
        (orphan,) = reader.orphans()
    assert (orphan.remote_id, orphan.count, orphan.reason) == (None, 7, "the connection broke")


async def test_expired_tickets_become_orphans(path: Path) -> None:
    """A ticket that expired between two runs is erased. One without an expiry time is kept."""
    signature = secrets.token_hex(20)
    async with running(path) as (journal, (source,)):
        for name, expires_at in (("old", NOW + 5), ("new", NOW + 50), ("endless", None)):
            item = an_item(source, name.encode())
            await take_ticket(journal, item, a_ticket(name, expires_at, signature if name == "old" else "other"))
    async with running(path, now=NOW + 10) as (journal, (source,)):
        known = found(journal, an_item(source, b"old"))
    assert known is not None
    assert (known.state, known.ticket) == (FileState.PENDING, None)
    with Reader(str(path)) as reader:
        (orphan,) = reader.orphans()
    assert (orphan.remote_id, orphan.source, orphan.path, orphan.count) == ("old", ROOT, b"old", 1)
    assert rows(path) == {b"old": FileState.PENDING, b"new": FileState.TICKETED, b"endless": FileState.TICKETED}
    assert signature.encode() not in raw_bytes(path.parent)


async def test_a_stored_file_keeps_its_ticket_for_the_closing_call(path: Path) -> None:
    """Neither the ticket's expiry nor the end of a run removes it. It keeps only the part for the call."""
    async with running(path) as (journal, (source,)):
        item = an_item(source)
        ticket = a_ticket("remote-1", NOW + 5)
        await take_ticket(journal, item, ticket)
        item.ticket, item.receipt = ticket, receipt_of(item)
        await journal.stored([item])
        await journal.end_run(now=NOW, exit_code=0, summary={}, finished=True)
    async with running(path, now=NOW + 100) as (journal, (source,)):
        known = found(journal, an_item(source))
    assert known is not None
    bare = without_secrets(ticket)
    assert (known.state, known.ticket, known.receipt) == (FileState.STORED, bare, item.receipt)


async def test_nested_sources_share_their_files(path: Path) -> None:
    """A file uploaded from a directory is known if a folder of it is the source, and the other way round."""
    async with running(path, b"/data") as (journal, (outer,)):
        await upload_one(journal, an_item(outer, b"sub/deep/a.mp4"), a_ticket("remote-1"))
    async with running(path, b"/data/sub") as (journal, (inner,)):
        known = found(journal, an_item(inner, b"deep/a.mp4"))
        assert known is not None
        assert known.state is FileState.UPLOADED
        assert found(journal, an_item(inner, b"a.mp4")) is None
        await upload_one(journal, an_item(inner, b"b.mp4"), a_ticket("remote-2"))
    async with running(path, b"/data", b"/data/subway", b"/") as (journal, (outer, sibling, top)):
        assert found(journal, an_item(outer, b"sub/b.mp4")) is not None
        assert found(journal, an_item(outer, b"b.mp4")) is None
        assert found(journal, an_item(outer, b"bus/b.mp4")) is None
        assert found(journal, an_item(sibling, b"b.mp4")) is None
        assert found(journal, an_item(top, b"data/sub/b.mp4")) is not None
        assert found(journal, an_item(top, b"data/sub/deep/a.mp4")) is not None


async def test_an_unchanged_file_gets_its_new_metadata(path: Path) -> None:
    """A file that was hashed again and is the same keeps its state, remote id and digest."""
    async with running(path) as (journal, (source,)):
        await upload_one(journal, an_item(source), a_ticket("remote-1"))
        moved = identity(ctime=77, inode=78, device=79)
        again = an_item(source, identity=moved, digest=Digest(b"m" * 16))
        await journal.settled([Outcome(again, FileState.UPLOADED, unchanged=True)], NOW)
        known = found(journal, again)
    assert known is not None
    assert (known.state, known.identity, known.digest) == (FileState.UPLOADED, moved, Digest(b"m" * 16))
    with Reader(str(path)) as reader:
        assert [row.remote_id for row in reader.manifest()] == ["remote-1"]


async def test_large_groups(path: Path) -> None:
    """A step for hundreds of files at once is recorded for each of them, and for no other file."""
    count = 333
    async with running(path, kept_until=lambda stored_at: stored_at + 9.0) as (journal, (source,)):
        items = [an_item(source, b"%04d" % n, identity=identity(size=n, inode=2**64 - 1 - n)) for n in range(count)]
        tickets = [a_ticket(f"remote-{n}") for n in range(count)]
        await journal.pending([an_item(source, b"bystander")])
        await journal.ticketed(await ask(journal, *items), tickets)
        for n, (item, ticket) in enumerate(zip(items, tickets, strict=True)):
            item.ticket, item.history.attempts, item.receipt = (
                ticket,
                n,
                receipt_of(item, b"%016d" % n, verified=n % 2 == 0),
            )
        await journal.stored(items)
        assert Counter(rows(path).values()) == {FileState.STORED: count, FileState.PENDING: 1}
        states = (FileState.UPLOADED, FileState.UNVERIFIED, FileState.FAILED)
        await journal.settled([Outcome(item, states[n % 3], problem(str(n))) for n, item in enumerate(items)], NOW)
        touched = [an_item(source, b"%04d" % n, identity=identity(n, ctime=5)) for n in range(count) if n % 3 == 0]
        await journal.settled([Outcome(item, FileState.UPLOADED, unchanged=True) for item in touched], NOW)
        with contextlib.closing(journal.lookup()) as lookup:
            assert [k and k.identity for k in lookup.find([i.file for i in touched])] == [
                i.file.identity for i in touched
            ]
    with Reader(str(path)) as reader:
        *manifest, bystander = reader.manifest()
        orphans = [orphan.remote_id for orphan in reader.orphans()]
    assert (bystander.path, bystander.status) == (b"bystander", FileState.PENDING)
    for n, row in enumerate(manifest):
        assert (row.path, row.status, row.size, row.attempts) == (b"%04d" % n, states[n % 3], n, n)
        if n % 3 != 2:
            assert (row.remote_id, row.remote, row.error) == (f"remote-{n}", {"id": f"remote-{n}"}, None)
            assert (row.md5, row.uploaded_at, row.kept_until) == ((b"%016d" % n).hex(), NOW, NOW + 9)
        else:
            assert (row.remote_id, row.error) == (None, str(n))
    assert orphans == [f"remote-{n}" for n in range(count) if n % 3 == 2]
    assert b"SIGNATURE" not in raw_bytes(path.parent)


async def test_runs_and_status(path: Path) -> None:
    """Runs are listed newest first with their ends. An interrupted run has no end."""
    async with running(path) as (journal, (source,)):
        await upload_one(journal, an_item(source), a_ticket("remote-1"))
        await journal.end_run(now=NOW + 5, exit_code=3, summary={"event": "summary"}, finished=True)
        first = journal.run
    async with running(path, now=NOW + 10) as (journal, _):
        second = journal.run
    with Reader(str(path)) as reader:
        cut_off, ended = reader.runs()
        status = reader.status()
    assert (cut_off.run, cut_off.ended_at, cut_off.exit_code, cut_off.summary) == (second, None, None, None)
    assert (ended.run, ended.ended_at, ended.exit_code) == (first, NOW + 5, 3)
    assert (ended.summary, ended.sources) == ({"event": "summary"}, (ROOT,))
    assert (status.files, status.bytes) == ({FileState.UPLOADED: 1}, {FileState.UPLOADED: 3})
    assert status.last_run == cut_off
    assert not status.running


async def test_full_disk(path: Path) -> None:
    """Every waiting write fails, and all writes that returned before are on disk."""
    committed: list[bytes] = []
    connection = open_for_writing(str(path))
    async with running(path, connection=connection) as (journal, (source,)):
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages + 8}")

        async def fill() -> None:
            for number in range(10_000):
                await journal.pending([an_item(source, b"%05d.mp4" % number)])
                committed.append(b"%05d.mp4" % number)

        with pytest.raises(JournalError, match="full") as raised:
            await fill()
        with anyio.fail_after(30):
            failed = await asyncio.gather(
                *(journal.pending([an_item(source, b"x" * 200 + b"%d" % n)]) for n in range(300)),
                return_exceptions=True,
            )
        # Rows that still fitted into a half-empty page were awaited too.
        committed += [b"x" * 200 + b"%d" % n for n, error in enumerate(failed) if error is None]
        assert any(isinstance(error, JournalError) for error in failed)
    assert raised.value.exit_code == 7
    assert committed
    assert sorted(rows(path)) == sorted(committed)


async def test_group_commit(path: Path) -> None:
    """Concurrent writers share commits, and each finds its row on disk when its call returns."""
    commits: list[str] = []
    connection = open_for_writing(str(path))
    async with running(path, connection=connection) as (journal, (source,)):
        connection.set_trace_callback(lambda sql: commits.append(sql) if sql == "COMMIT" else None)

        async def write(number: int) -> None:
            item = an_item(source, b"%d.mp4" % number)
            await ask(journal, item)
            if number % 50 == 0:
                assert found_by_readers(journal, item) is not None

        await asyncio.gather(*(write(number) for number in range(500)))
        connection.set_trace_callback(None)
    assert len(rows(path)) == 500
    assert 1 <= len(commits) < 250


async def test_a_failing_statement_fails_only_its_group(path: Path) -> None:
    """All jobs of its commit fail, no task hangs, and later writes succeed."""
    good = [[Statement("INSERT INTO sources (root) VALUES {rows}", [(b"%03d" % number,)])] for number in range(100)]
    bad = [Statement("INSERT INTO nowhere VALUES (?)", [(1,)])]
    with contextlib.closing(open_for_writing(str(path))) as connection:
        writer = Writer(connection, str(path))
        with anyio.fail_after(30):
            results = await asyncio.gather(
                *(writer.write(statements) for statements in [*good[:50], bad, *good[50:]]), return_exceptions=True
            )
        assert isinstance(results.pop(50), JournalError)
        assert all(result == [] or isinstance(result, JournalError) for result in results)
        written = {b"%03d" % number for number, result in enumerate(results) if result == []}
        assert {root for (root,) in connection.execute("SELECT root FROM sources")} == written
        await writer.write([Statement("INSERT OR IGNORE INTO sources (root) VALUES (?)", [(b"later",)])])
        writer.close()
        assert (b"later",) in connection.execute("SELECT root FROM sources").fetchall()


async def write_until_it_fails(journal: Journal, source: Source) -> None:
    for number in range(1000):
        items = [an_item(source, b"%d-%d.mp4" % (number, one)) for one in range(5)]
        await asyncio.gather(*(journal.pending([item]) for item in items))


@pytest.mark.parametrize("fault", [MemoryError(), SystemExit(1)], ids=["an error", "an exit"])
async def test_the_end_of_the_writer_thread_fails_all_writes(
    path: Path, fault: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tasks that wait and tasks that come later get a `JournalError`. None waits for ever, and the journal closes."""

    def fail(_: float) -> None:
        raise fault

    async with running(path) as (journal, (source,)):
        await journal.pending([an_item(source)])
        monkeypatch.setattr(time, "sleep", fail)  # the thread waits between two commits
        with anyio.fail_after(30):
            with pytest.raises(JournalError, match="ended unexpectedly"):
                await write_until_it_fails(journal, source)
            with pytest.raises(JournalError, match="ended unexpectedly"):
                await journal.pending([an_item(source)])
        monkeypatch.undo()
    assert b"a.mp4" in rows(path)


async def test_a_cancelled_task_does_not_disturb_others(path: Path) -> None:
    """A task that is cancelled during its commit affects neither other tasks nor the closing of the journal."""
    async with running(path) as (journal, (source,)):
        tasks = [asyncio.create_task(journal.pending([an_item(source, b"%d.mp4" % n)])) for n in range(50)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(result is None for result in results[1::2])
    assert {b"%d.mp4" % n for n in range(1, 50, 2)} <= set(rows(path))


_STEPS = (FileState.ASKED, FileState.TICKETED, FileState.UPLOADED)
_WRITER = """
import asyncio, sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from test_journal import *

async def main():
    async with running(Path(sys.argv[1])) as (journal, (source,)):
        for number in range(100_000):
            item, ticket = an_item(source, b"%06d" % number), a_ticket(f"remote-{number}")
            group = await ask(journal, item)
            print(number, 0, flush=True)
            await journal.ticketed(group, [ticket])
            print(number, 1, flush=True)
            item.ticket, item.receipt = ticket, receipt_of(item)
            await journal.settled([Outcome(item, FileState.UPLOADED)], NOW)
            print(number, 2, flush=True)

asyncio.run(main())
"""


@pytest.mark.parametrize("seed", range(3))
async def test_kill_between_any_two_writes(path: Path, seed: int) -> None:
    """After kill -9 every awaited step is on disk, and at most the current step in addition."""
    lines = random.Random(seed).randrange(1, 400)
    command = [sys.executable, "-c", _WRITER, str(path), os.path.dirname(__file__)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            told = [process.stdout.readline() for _ in range(lines)]
        finally:
            process.kill()
        told += process.stdout.read().splitlines()
    number, step = (int(word) for word in told[-1].split())
    states = rows(path)
    if step < 2:
        reached = _STEPS.index(states.pop(b"%06d" % number))
        assert step <= reached <= step + 1
    else:
        assert states.pop(b"%06d" % (number + 1), FileState.ASKED) is FileState.ASKED
    assert sorted(states) == [b"%06d" % n for n in range(number + (step == 2))]
    assert set(states.values()) <= {FileState.UPLOADED}
    async with running(path, now=NOW + 1) as (journal, (source,)):
        assert found(journal, an_item(source, b"nothing")) is None
        assert FileState.ASKED not in rows(path).values()


FILES = [b"a", b"b", b"c", b"d"]
files = st.sampled_from(FILES)


class JournalMachine(RuleBasedStateMachine):
    """A model of states, tickets and ids beside the real journal. A crash copies the files on disk."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.Runner()
        self.folder = Path(tempfile.mkdtemp())
        self.now = NOW
        self.places = self.tickets_made = 0
        self.groups: dict[bytes, Group] = {}
        self.states: dict[bytes, FileState] = {}
        self.tickets: dict[bytes, Ticket] = {}
        self.orphans: Counter[str] = Counter()
        self.ids: dict[bytes, str] = {}
        self.superseded: dict[str, str] = {}
        self.unknown = 0
        self.journal: Journal
        self.source: Source

    @initialize()
    def begin(self) -> None:
        self._open(self.folder / "0" / "journal.sqlite3")

    def _open(self, place: Path) -> None:
        async def begin() -> None:
            self.journal = await Journal.open(str(place))
            (self.source,) = await self.journal.begin_run(
                THERE, (Source(ROOT),), now=self.now, kept_until=lambda _: None
            )

        self.place = place
        self.loop.run(begin())

    def _item(self, name: bytes) -> Item:
        item = an_item(self.source, name)
        if name in self.tickets:
            item.ticket, item.receipt = self.tickets[name], receipt_of(item)
        return item

    def _in(self, name: bytes, *states: FileState) -> bool:
        return self.states.get(name) in states

    @rule(name=files)
    def ask(self, name: bytes) -> None:
        item = self._item(name)
        replaced = [(item, item.ticket)] if item.ticket else []
        self.groups[name] = Group([item])
        self.loop.run(self.journal.asked(self.groups[name], replaced, self.now))
        if item.ticket:
            self.orphans[item.ticket.remote_id] += 1
            del self.tickets[name]
        self.states[name] = FileState.ASKED

    @rule(name=files, lease=st.sampled_from([5.0, 500.0, None]))
    def answer(self, name: bytes, lease: float | None) -> None:
        if self._in(name, FileState.ASKED):
            self.tickets_made += 1
            ticket = a_ticket(f"remote-{self.tickets_made}", None if lease is None else self.now + lease)
            self.loop.run(self.journal.ticketed(self.groups[name], [ticket]))
            self.tickets[name] = ticket
            self.states[name] = FileState.TICKETED

    @rule(name=files)
    def store(self, name: bytes) -> None:
        if self._in(name, FileState.TICKETED):
            self.loop.run(self.journal.stored([self._item(name)]))
            self.tickets[name] = without_secrets(self.tickets[name])
            self.states[name] = FileState.STORED

    @rule(name=files, state=st.sampled_from([FileState.UPLOADED, FileState.UNVERIFIED]))
    def succeed(self, name: bytes, state: FileState) -> None:
        if self._in(name, FileState.TICKETED, FileState.STORED):
            self.loop.run(self.journal.settled([Outcome(self._item(name), state)], self.now))
            new = self.tickets.pop(name).remote_id
            if name in self.ids:
                self.superseded[self.ids[name]] = new
            self.ids[name] = new
            self.states[name] = state

    @rule(name=files, state=st.sampled_from([FileState.FAILED, FileState.REJECTED, FileState.CHANGED]))
    def fail(self, name: bytes, state: FileState) -> None:
        item = self._item(name)
        self.loop.run(self.journal.settled([Outcome(item, state, problem())], self.now))
        if item.ticket:
            self.orphans[item.ticket.remote_id] += 1
            del self.tickets[name]
        self.states[name] = state

    @rule(name=files, end=st.sampled_from([FileState.TICKETED, FileState.STORED, FileState.UPLOADED]))
    def go_far(self, name: bytes, end: FileState) -> None:
        """Take several steps at once, so that enough files reach late states."""
        self.ask(name)
        self.answer(name, 500.0)
        if end is FileState.STORED:
            self.store(name)
        elif end is FileState.UPLOADED:
            self.succeed(name, FileState.UPLOADED)

    @rule(name=files)
    def give_back(self, name: bytes) -> None:
        if self._in(name, FileState.ASKED, FileState.TICKETED, FileState.STORED):
            item = self._item(name)
            self.loop.run(self.journal.settled([Outcome(item, None)], self.now))
            if item.ticket is None:
                self.states[name] = FileState.PENDING

    @rule(seconds=st.sampled_from([0.0, 1.0, 50.0]))
    def crash(self, seconds: float) -> None:
        """Continue with a copy of the files on disk, including the write-ahead log, as after a kill."""
        self.places += 1
        place = self.folder / str(self.places) / "journal.sqlite3"
        shutil.copytree(self.place.parent, place.parent, ignore=lambda _, names: [n for n in names if "-shm" in n])
        self.journal.close()
        self._next_run(place, seconds)

    @rule(finished=st.booleans(), seconds=st.sampled_from([0.0, 50.0]))
    def end(self, finished: bool, seconds: float) -> None:
        self.loop.run(self.journal.end_run(now=self.now, exit_code=0, summary={}, finished=finished))
        if finished:
            self._drop_tickets(lambda _: True)
        self.journal.close()
        assert not finished or b"SIGNATURE" not in raw_bytes(self.place.parent) or self.tickets
        self._next_run(self.place, seconds)

    @rule(finished=st.booleans(), age=st.sampled_from([0.0, 0.0, 60.0]))
    def prune(self, finished: bool, age: float) -> None:
        """Only rows older than `age` are deleted: orphans, and files that were never uploaded."""
        self.end(finished, 50.0)
        self.journal.close()
        known, before = self._orphans(), self.now - age
        self.loop.run(prune(str(self.place), before))
        assert self._orphans() == [orphan for orphan in known if orphan.created_at >= before]
        left = rows(self.place)
        gone = {name: self.states.pop(name) for name in list(self.states) if name not in left}
        assert not set(gone) & set(self.ids)
        assert not set(gone.values()) & {FileState.ASKED, FileState.TICKETED, FileState.STORED, *DONE}
        self._remember_orphans()
        self._next_run(self.place, 50.0)

    def _orphans(self) -> list[OrphanRow]:
        with Reader(str(self.place)) as reader:
            return [*reader.orphans(), *reader.superseded()]

    def _remember_orphans(self) -> None:
        left = self._orphans()
        self.orphans = Counter(o.remote_id for o in left if o.remote_id is not None and o.superseded_by is None)
        self.superseded = {o.remote_id: o.superseded_by for o in left if o.remote_id and o.superseded_by}
        self.unknown = sum(o.count for o in left if o.remote_id is None)

    def _next_run(self, place: Path, seconds: float) -> None:
        self.now += seconds
        for name in [name for name, state in self.states.items() if state is FileState.ASKED]:
            self.states[name] = FileState.PENDING
            self.unknown += 1
        self._drop_tickets(lambda ticket: ticket.expires_at is not None and ticket.expires_at <= self.now)
        self._open(place)

    def _drop_tickets(self, chosen: Callable[[Ticket], bool]) -> None:
        for name, ticket in list(self.tickets.items()):
            if chosen(ticket) and not self._in(name, FileState.STORED):
                self.orphans[ticket.remote_id] += 1
                del self.tickets[name]
                self.states[name] = FileState.PENDING

    @invariant()
    @precondition(lambda self: hasattr(self, "place"))
    def journal_is_the_model(self) -> None:
        with Reader(str(self.place)) as reader:
            manifest, orphans, superseded = list(reader.manifest()), list(reader.orphans()), list(reader.superseded())
        assert {row.path: row.status for row in manifest} == self.states
        assert {row.path: row.remote_id for row in manifest if row.remote_id is not None} == self.ids
        assert {row.remote_id: row.superseded_by for row in superseded} == self.superseded
        assert Counter(o.remote_id for o in orphans if o.remote_id is not None) == self.orphans
        assert sum(o.count for o in orphans if o.remote_id is None) == self.unknown
        known = [found_by_readers(self.journal, an_item(self.source, name)) for name in FILES]
        live = (FileState.TICKETED, FileState.STORED)
        expected = {n: t for n, t in self.tickets.items() if self.states[n] in live}
        assert {n: k.ticket for n, k in zip(FILES, known, strict=True) if k and k.ticket} == expected

    def teardown(self) -> None:
        if hasattr(self, "place"):
            self.journal.close()
        self.loop.close()
        shutil.rmtree(self.folder)


TestJournalModel = pytest.mark.unmeasured(JournalMachine.TestCase)
TestJournalModel.settings = settings(max_examples=25, stateful_step_count=25, suppress_health_check=list(HealthCheck))


async def test_manifest_rows_contain_no_ticket(path: Path) -> None:
    """Rows of a file with a live ticket contain no part of the ticket."""
    signature = secrets.token_hex(20)
    async with running(path) as (journal, (source,)):
        item = an_item(source)
        await take_ticket(journal, item, a_ticket("remote-1", signature=signature))
        with Reader(str(path)) as reader:
            text = repr((list(reader.manifest()), list(reader.runs()), list(reader.orphans()), reader.status()))
    assert signature not in text
    assert "remote-1" not in json.dumps(text)


def test_a_journal_without_tables_is_empty(path: Path) -> None:
    """A starting run creates the file before its tables. A reader at this time reports an empty journal."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    with pytest.raises(JournalError, match="no run has used it"):
        Reader(str(path))
    with read_only_view(str(path), THERE, (Source(ROOT),)) as known:
        assert known.lookup is None


def test_a_database_of_another_program_is_refused(path: Path) -> None:
    """It is reported as such, not as an empty journal."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    with pytest.raises(JournalError, match="another program"):
        Reader(str(path))


async def test_concurrent_tasks_get_their_own_rows(path: Path) -> None:
    """A group is written by statement. Each file has its own rows, and each task gets its own answer."""
    async with running(path) as (journal, (source,)):
        items = [an_item(source, b"%d.mp4" % number) for number in range(200)]

        async def take_through(number: int, item: Item) -> None:
            wanted = Claim(f"place {number}", (source.id, item.file.path), item.file.full_path)
            assert await journal.claim([wanted]) == [None]
            await upload_one(journal, item, a_ticket(f"remote-{number}"))

        await asyncio.gather(*[take_through(number, item) for number, item in enumerate(items)])
    with Reader(str(path)) as reader:
        told = {row.path: (row.status, row.remote_id) for row in reader.manifest()}
    assert told == {b"%d.mp4" % number: (FileState.UPLOADED, f"remote-{number}") for number in range(200)}
    assert b"SIGNATURE" not in raw_bytes(path.parent)
