"""Deleting and keeping rows: pruning, ids of earlier uploads, named sources, journals of earlier versions."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import AsyncGenerator
from pathlib import Path

import anyio
import pytest
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
    receipt_of,
    rows,
    running,
    take_ticket,
    upload_one,
)

from bulkup.errors import JournalError, JournalLockedError
from bulkup.journal import Claim, Destination, Holder, Journal, Lock, Reader, prune, prune_dry_run, read_only_view
from bulkup.journal.database import migrate, migrations, open_for_writing
from bulkup.model.files import UNKNOWN_IDENTITY, Source
from bulkup.model.items import Item, Outcome
from bulkup.model.journal_rows import ManifestRow, OrphanRow, PruneCounts
from bulkup.model.states import FileState

DAY = 86_400.0
LATER = NOW + 100 * DAY
ELSEWHERE = Destination("xvid", "https://other.example")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite3"


class At:
    """A clock with a fixed time."""

    def __init__(self, now: float) -> None:
        self._now = now

    def now(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return 0.0


async def fail_one(journal: Journal, item: Item, state: FileState = FileState.FAILED) -> None:
    await journal.settled([Outcome(item, state, problem())], NOW)


async def end(journal: Journal, now: float, *, finished: bool = False) -> None:
    await journal.end_run(now=now, exit_code=0, summary={}, finished=finished)


def ids(path: Path) -> dict[bytes, str | None]:
    with Reader(str(path)) as reader:
        return {row.path: row.remote_id for row in reader.manifest()}


def superseded(path: Path) -> list[OrphanRow]:
    with Reader(str(path)) as reader:
        return list(reader.superseded())


def names_of_runs(path: Path) -> list[str]:
    with Reader(str(path)) as reader:
        return [run.run for run in reader.runs()]


# --- ids of earlier uploads ---


async def test_the_id_of_an_earlier_upload_is_kept(path: Path) -> None:
    """With file, time, run, new id and deletion time. The manifest has the new id."""
    async with running(path, kept_until=lambda at: at + DAY) as (journal, (source,)):
        await upload_one(journal, an_item(source), a_ticket("first"))
        assert superseded(path) == []
        await upload_one(journal, an_item(source, identity=identity(mtime=2)), a_ticket("second"))
        await upload_one(journal, an_item(source, identity=identity(mtime=3)), a_ticket("third"))
        run = journal.run
    first, second = superseded(path)
    assert (first.remote_id, first.superseded_by, first.kind) == ("first", "second", "superseded")
    assert (first.path, first.source, first.provider, first.run) == (b"a.mp4", ROOT, THERE.provider, run)
    assert (first.created_at, first.kept_until) == (NOW, NOW + DAY)
    assert (second.remote_id, second.superseded_by) == ("second", "third")
    assert ids(path) == {b"a.mp4": "third"}
    with Reader(str(path)) as reader:
        assert (reader.status().superseded, reader.status().orphans, list(reader.orphans())) == (2, 0, [])


async def test_a_failed_upload_supersedes_nothing(path: Path) -> None:
    """The row keeps the old id, and the unused ticket is an orphan."""
    async with running(path) as (journal, (source,)):
        await upload_one(journal, an_item(source), a_ticket("first"))
        again = an_item(source, identity=identity(mtime=2), ticket=a_ticket("lost"))
        await ask(journal, again)
        await fail_one(journal, again)
        assert superseded(path) == []
        await upload_one(journal, an_item(source, identity=identity(mtime=2)), a_ticket("second"))
    assert [(row.remote_id, row.superseded_by) for row in superseded(path)] == [("first", "second")]
    with Reader(str(path)) as reader:
        assert [row.remote_id for row in reader.orphans()] == ["lost"]


async def test_an_id_given_twice_is_not_superseded_by_itself(path: Path) -> None:
    """Deleting it would delete the last upload."""
    async with running(path) as (journal, (source,)):
        for mtime in (1, 2):
            await upload_one(journal, an_item(source, identity=identity(mtime=mtime)), a_ticket("the same"))
    assert superseded(path) == []


# --- uploads past their time ---


async def test_lookup_and_status_know_expired_uploads(path: Path) -> None:
    """From the exact second on, and only for uploaded files."""
    async with running(path, kept_until=lambda at: at + DAY) as (journal, (source,)):
        await upload_one(journal, an_item(source, b"kept"), a_ticket("1"))
        await upload_one(journal, an_item(source, b"again"), a_ticket("2"))
        await ask(journal, an_item(source, b"again", identity=identity(mtime=2)))
        known = [found_by_readers(journal, an_item(source, name)) for name in (b"kept", b"again")]
    assert [row and row.kept_until for row in known] == [NOW + DAY] * 2
    assert [row and row.expired(NOW + DAY) for row in known] == [True, False]
    assert [row and row.expired(NOW + DAY - 1) for row in known] == [False, False]
    for now, expired in ((NOW + DAY - 1, 0), (NOW + DAY, 1)):
        with Reader(str(path), At(now)) as reader:
            assert reader.status().expired == expired


async def test_the_row_that_is_kept_longest_is_used(path: Path) -> None:
    """A file in two nested sources was uploaded again from one of them, so the service still has it."""
    async with running(path, b"/data", kept_until=lambda at: at + DAY) as (journal, (outer,)):
        await upload_one(journal, an_item(outer, b"sub/a"), a_ticket("old"))
    async with running(path, b"/data/sub", kept_until=lambda _: None) as (journal, (inner,)):
        await upload_one(journal, an_item(inner, b"a"), a_ticket("new"))
    async with running(path, b"/data") as (journal, (outer,)):
        known = found(journal, an_item(outer, b"sub/a"))
    assert known is not None
    assert (known.kept_until, known.at) == (None, (inner.id, b"a"))


# --- sources by name ---


def named(root: bytes, name: str | None = "media") -> Source:
    return Source(root, name=name)


@contextlib.asynccontextmanager
async def of(path: Path, source: Source) -> AsyncGenerator[tuple[Journal, Source], None]:
    async with await Journal.open(str(path)) as journal:
        yield journal, (await journal.begin_run(THERE, (source,), now=NOW, kept_until=lambda _: None))[0]


async def upload_from(path: Path, source: Source, remote_id: str) -> int:
    async with of(path, source) as (journal, numbered):
        await upload_one(journal, an_item(numbered), a_ticket(remote_id))
    return numbered.id


async def knows(path: Path, source: Source) -> bool:
    """Return whether a run of the source finds its file uploaded, and check that a dry run agrees."""
    with read_only_view(str(path), THERE, [source]) as look:
        assert look.lookup is not None
        looked = look.lookup.find([an_item(look.sources[0]).file])[0]
    async with of(path, source) as (journal, numbered):
        known = found(journal, an_item(numbered))
    assert (looked is None) == (known is None)
    return known is not None


def roots(path: Path) -> list[bytes]:
    with Reader(str(path)) as reader:
        return [row.source for row in reader.manifest()]


async def test_a_named_source_may_move(path: Path) -> None:
    """Its files are known at the new path, which the manifest has."""
    number = await upload_from(path, named(b"/mnt/a"), "1")
    assert roots(path) == [b"/mnt/a"]
    assert await knows(path, named(b"/mnt/b"))
    assert roots(path) == [b"/mnt/b"]
    async with of(path, named(b"/mnt/c")) as (_, source):
        assert source.id == number


@pytest.mark.parametrize("source", [named(b"/mnt/a"), named(b"/mnt/b", "/mnt/a"), named(b"/mnt/b", "/mnt/a/")])
async def test_a_new_name_takes_over_earlier_uploads(path: Path, source: Source) -> None:
    """From the same path, before the source moves, or afterwards if the name is the old path."""
    number = await upload_from(path, named(b"/mnt/a", None), "1")
    assert await knows(path, source)
    assert await knows(path, named(b"/mnt/d", source.name))
    async with of(path, source) as (_, again):
        assert again.id == number
    assert roots(path) == [source.root]


async def test_a_moved_source_without_a_name_is_another_source(path: Path) -> None:
    """So is a source with a new name."""
    await upload_from(path, named(b"/mnt/a", None), "1")
    assert not await knows(path, named(b"/mnt/b", None))
    assert not await knows(path, named(b"/mnt/b", "media"))
    assert await knows(path, named(b"/mnt/a", None))


async def test_a_source_is_known_with_and_without_its_name(path: Path) -> None:
    """Files at one path with and without the name are the same, in both directions."""
    await upload_from(path, named(b"/mnt/a"), "1")
    assert await knows(path, named(b"/mnt/a", None))
    async with of(path, named(b"/mnt/a", None)) as (journal, source):
        await upload_one(journal, an_item(source, b"b.mp4"), a_ticket("2"))
    async with of(path, named(b"/mnt/a")) as (journal, source):
        assert found(journal, an_item(source, b"b.mp4")) is not None


async def test_two_names_at_one_path_are_two_sources(path: Path) -> None:
    """Two disks are mounted in turn at one place, and neither gets the files of the other."""
    first = await upload_from(path, named(b"/mnt/usb", "disk 1"), "1")
    assert not await knows(path, named(b"/mnt/usb", "disk 2"))
    assert await upload_from(path, named(b"/mnt/usb", "disk 2"), "2") != first
    assert await knows(path, named(b"/mnt/usb", "disk 1"))
    assert [row.remote_id for row in _manifest(path)] == ["1", "2"]


async def test_named_sources_at_one_path_do_not_share_a_place(path: Path) -> None:
    """The paths alone would make the two files one."""
    async with of(path, named(b"/mnt/usb", "disk 1")) as (journal, one):
        assert await journal.claim([_claim(one)]) == [None]
        await upload_one(journal, an_item(one), a_ticket("1"))
    holder = Holder(b"/mnt/usb", b"a.mp4", "disk 1")
    with read_only_view(str(path), THERE, [named(b"/mnt/usb", "disk 2")]) as look:
        assert look.places.claim(_claim(look.sources[0]), Holder(b"/mnt/usb", b"a.mp4", "disk 2")) == holder
    async with of(path, named(b"/mnt/usb", "disk 2")) as (journal, two):
        assert await journal.claim([_claim(two)]) == [holder]
    async with of(path, named(b"/mnt/elsewhere", "disk 1")) as (journal, one):
        assert await journal.claim([_claim(one)]) == [None]


async def test_an_empty_source_at_a_known_path_is_a_lost_mount(path: Path) -> None:
    """With and without the name."""
    await upload_from(path, named(b"/mnt/a"), "1")
    for source, expected in ((named(b"/mnt/b"), True), (named(b"/mnt/b", None), True), (named(b"/mnt/c", None), False)):
        async with of(path, source) as (journal, numbered):
            with contextlib.closing(journal.lookup()) as lookup:
                assert lookup.knows_files_of(numbered) is expected


def _claim(source: Source) -> Claim:
    return Claim("key", (source.id, b"a.mp4"), source.root + b"/a.mp4", source.name)


def _manifest(path: Path) -> list[ManifestRow]:
    with Reader(str(path)) as reader:
        return list(reader.manifest())


# --- runs ---


async def test_the_lock_distinguishes_running_from_interrupted(path: Path) -> None:
    """Only the newest run can be running, and only while the lock is held."""
    async with running(path):
        pass
    with Lock(str(path)) as lock:
        await lock.acquire(wait=False, sleep=anyio.sleep)
        async with running(path) as (journal, _):
            with Reader(str(path)) as reader:
                assert [run.running for run in reader.runs()] == [True, False]
            await end(journal, NOW + 1)
            with Reader(str(path)) as reader:
                assert [run.running for run in reader.runs()] == [False, False]
    async with running(path):
        pass
    with Reader(str(path)) as reader:
        assert not any(run.running for run in reader.runs())


# --- pruning ---


async def old_and_new(path: Path) -> None:
    """A journal with rows of every kind from an old run, and a run a hundred days later."""
    async with running(path) as (journal, (source,)):
        await upload_one(journal, an_item(source, b"uploaded"), a_ticket("1"))
        for number in (1, 2):
            await upload_one(
                journal, an_item(source, b"twice", identity=identity(mtime=number)), a_ticket(f"t{number}")
            )
        changed = an_item(source, b"changed since")
        await upload_one(journal, changed, a_ticket("c"))
        await ask(journal, an_item(source, b"changed since", identity=identity(mtime=2)))
        await fail_one(journal, an_item(source, b"changed since", identity=identity(mtime=2)))
        for state in (FileState.FAILED, FileState.REJECTED, FileState.CHANGED, FileState.UNREADABLE):
            await fail_one(journal, an_item(source, b"gone " + state.encode()), state)
        await fail_one(journal, an_item(source, b"failed again"))
        await journal.pending([an_item(source, b"gone pending")])
        await journal.claim(
            [Claim("key", (source.id, b"gone failed"), b"/"), Claim("kept", (source.id, b"twice"), b"/")]
        )
        for name in (b"ticketed", b"stored"):
            item = an_item(source, name, ticket=a_ticket(name.decode(), None))
            await take_ticket(journal, item, a_ticket(name.decode(), None))
        item.receipt = receipt_of(item)
        await journal.stored([item])
        await journal.unknown_ids(7, "cut off", NOW)
        await end(journal, NOW + 1)
    async with running(path, now=LATER) as (journal, (source,)):
        await fail_one(journal, an_item(source, b"failed again"))
        await journal.unknown_ids(3, "cut off", LATER)
        await end(journal, LATER + 1)


def tables(path: Path) -> dict[str, list[tuple[object, ...]]]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        names = ("runs", "files", "orphans", "tickets", "places")
        return {name: connection.execute(f"SELECT * FROM {name}").fetchall() for name in names}


async def test_pruning_deletes_old_rows(path: Path) -> None:
    """Uploads of any age stay, and so do files in progress and their tickets."""
    await old_and_new(path)
    before = tables(path)
    expected = (1, 1, 1, 5)
    foreseen = prune_dry_run(str(path), LATER)
    assert (foreseen.runs, foreseen.orphans, foreseen.superseded, foreseen.files) == expected
    assert tables(path) == before
    pruned = await prune(str(path), LATER)
    assert (pruned.runs, pruned.orphans, pruned.superseded, pruned.files) == expected
    assert rows(path) == {
        b"uploaded": FileState.UPLOADED,
        b"twice": FileState.UPLOADED,
        b"changed since": FileState.FAILED,
        b"failed again": FileState.FAILED,
        b"ticketed": FileState.TICKETED,
        b"stored": FileState.STORED,
    }
    assert tables(path)["tickets"] == before["tickets"]
    assert [row[1] for row in tables(path)["places"]] == ["kept"]
    with Reader(str(path)) as reader:
        status = reader.status()
        assert [orphan.count for orphan in reader.orphans()] == [3]
        assert [run.run for run in reader.runs()] == [status.last_run and status.last_run.run]
    assert await prune(str(path), LATER) == PruneCounts(0, 0, 0, 0, pruned.size_after, pruned.size_after)


async def test_the_next_run_is_not_affected_by_pruning(path: Path) -> None:
    """Uploads are settled, and a ticket and a receipt are still usable."""
    await old_and_new(path)
    await prune(str(path), LATER + 1)
    async with running(path, now=LATER + 2) as (journal, (source,)):
        known = [
            found(journal, an_item(source, name)) for name in (b"uploaded", b"ticketed", b"stored", b"gone failed")
        ]
        assert journal.run == names_of_runs(path)[0]
    assert [row and row.state for row in known] == [FileState.UPLOADED, FileState.TICKETED, FileState.STORED, None]
    assert [row is not None and row.ticket is not None for row in known] == [False, True, True, False]


async def test_the_newest_run_of_each_destination_stays(path: Path) -> None:
    """At any age. An interrupted run is as old as its start."""
    runs = []
    for destination, ended in ((THERE, True), (THERE, False), (THERE, True), (ELSEWHERE, True), (ELSEWHERE, False)):
        async with running(path, destination=destination) as (journal, _):
            runs.append(journal.run)
            if ended:
                await end(journal, NOW)
    assert (await prune(str(path), LATER)).runs == 3
    assert names_of_runs(path) == [runs[4], runs[2]]


async def test_a_run_named_by_a_younger_orphan_stays(path: Path) -> None:
    """A run that started long ago and lost an id recently."""
    async with running(path) as (journal, _):
        await journal.unknown_ids(1, "cut off", LATER)
        run = journal.run
    async with running(path, now=LATER):
        pass
    assert (await prune(str(path), LATER)).runs == 0
    with Reader(str(path)) as reader:
        assert [orphan.run for orphan in reader.orphans()] == [run]


async def test_the_file_shrinks(path: Path) -> None:
    """Its pages and the log are returned to the disk, also during a read by another process."""
    async with running(path) as (journal, (source,)):
        await journal.pending([an_item(source, b"%0100d" % number) for number in range(5_000)])
        await end(journal, NOW)
    async with running(path, now=LATER):
        pass
    with Reader(str(path)) as reader:
        assert next(reader.manifest()) is not None
        pruned = await prune(str(path), LATER)
    assert pruned.files == 5_000
    assert pruned.size_after < pruned.size_before / 5
    assert rows(path) == {}


async def test_pruning_is_refused_during_a_run(path: Path) -> None:
    """Nothing is written, and the hint does not name an option that the command lacks."""
    await old_and_new(path)
    before = tables(path)
    with Lock(str(path)) as lock:
        await lock.acquire(wait=False, sleep=anyio.sleep)
        with pytest.raises(JournalLockedError) as refused:
            await prune(str(path), LATER)
        assert prune_dry_run(str(path), LATER).runs == 1
    assert "--wait" not in refused.value.hint
    assert tables(path) == before


async def test_pruning_creates_no_journal(tmp_path: Path) -> None:
    """A misspelt name is an error, and no file is created."""
    for look in (prune_dry_run, lambda *values: anyio.run(prune, *values)):
        with pytest.raises(JournalError, match="there is no journal"):
            await anyio.to_thread.run_sync(look, str(tmp_path / "slip"), LATER)
    assert list(tmp_path.iterdir()) == []


# --- the beginning and the end of a run ---


async def test_a_run_starts_and_ends_without_a_full_scan(path: Path) -> None:
    """Journals have millions of rows, so every statement uses an index."""
    connection = open_for_writing(str(path))
    async with running(path, connection=connection) as (journal, sources):
        asked: list[str] = []
        connection.set_trace_callback(asked.append)
        await journal.begin_run(THERE, sources, now=NOW, kept_until=lambda _: None)
        await journal.end_run(now=NOW, exit_code=0, summary={}, finished=True, walked=sources)
        connection.set_trace_callback(None)
        verbs = ("SELECT", "INSERT", "UPDATE", "DELETE")
        plans = [
            (step[3], sql)
            for sql in asked
            if sql.strip().startswith(verbs)
            for step in connection.execute(f"EXPLAIN QUERY PLAN {sql}")
        ]
    assert any("files_open" in step for step, _ in plans)
    assert [sql for step, sql in plans if step in ("SCAN files", "SCAN f")] == []


@pytest.mark.parametrize("state", [FileState.UNREADABLE, FileState.CHANGED])
async def test_entries_that_could_not_be_examined_are_forgotten_by_the_next_run(path: Path, state: FileState) -> None:
    """A name that vanished is not there any more, and the files of a folder have rows of their own."""
    async with running(path) as (journal, (source,)):
        unexamined = [an_item(source, name, identity=UNKNOWN_IDENTITY) for name in (b"gone", b"again")]
        ends = [Outcome(item, state, problem()) for item in (*unexamined, an_item(source, b"examined"))]
        await journal.settled(ends, NOW)
        await journal.end_run(now=NOW, exit_code=3, summary={}, finished=True, walked=(source,))
    assert rows(path) == dict.fromkeys((b"gone", b"again", b"examined"), state)
    async with running(path) as (journal, (source,)):
        await journal.settled([Outcome(an_item(source, b"again", identity=UNKNOWN_IDENTITY), state, problem())], NOW)
        await journal.end_run(now=NOW, exit_code=3, summary={}, finished=True, walked=(source,))
    assert rows(path) == dict.fromkeys((b"again", b"examined"), state)


# --- earlier versions ---


@pytest.fixture(params=[1, 2])
def earlier(path: Path, request: pytest.FixtureRequest) -> Path:
    """A journal of an earlier version, with an uploaded file, an orphan and two runs."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        migrate(connection, migrations()[: request.param])
        connection.execute("INSERT INTO destinations VALUES (1, ?, ?, ?)", (THERE.provider, THERE.base_url, ""))
        connection.execute("INSERT INTO sources VALUES (7, ?)", (ROOT,))
        for number in (1, 2):
            row = (number, f"run-{number}", 1, "[]", NOW, NOW, 0, "{}")
            connection.execute("INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
        connection.execute("INSERT INTO orphans VALUES (1, 1, 7, ?, 'lost', 1, 'why', ?, 1)", (b"a", NOW))
        connection.execute(
            "INSERT INTO files (destination_id, source_id, path, state, size, mtime_ns, ctime_ns, inode, device, md5,"
            " remote_id, run_id) VALUES (1, 7, ?, 'uploaded', 3, 1, 1, 1, 1, ?, 'id', 1)",
            (b"a.mp4", b"m" * 16),
        )
    return path


async def test_a_journal_of_an_earlier_version_is_read_unchanged(earlier: Path) -> None:
    """No byte of it changes, and all queries work."""
    before = earlier.read_bytes()
    with Reader(str(earlier)) as reader:
        assert [row.remote_id for row in reader.orphans()] == ["lost"]
        assert list(reader.superseded()) == []
        assert [row.source for row in reader.manifest()] == [ROOT]
        assert (reader.status().orphans, reader.status().superseded) == (1, 0)
    pruned = prune_dry_run(str(earlier), LATER)
    assert (pruned.runs, pruned.orphans) == (1, 1)
    with read_only_view(str(earlier), THERE, [named(b"/mnt/b", ROOT.decode()), named(ROOT), named(ROOT, None)]) as look:
        assert [source.id for source in look.sources] == [7, 7, 7]
    assert earlier.read_bytes() == before


async def test_a_run_and_pruning_migrate_a_journal(earlier: Path) -> None:
    """Its sources keep their numbers, and its rows stay."""
    assert (await prune(str(earlier), LATER)).runs == 1
    assert ids(earlier) == {b"a.mp4": "id"}
    async with of(earlier, named(b"/mnt/b", ROOT.decode())) as (journal, source):
        assert source.id == 7
        assert found(journal, an_item(source)) is not None
