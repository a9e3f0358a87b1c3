"""One manifest of several journals: the order, files that several have, other uploads, journals in use or damaged."""

from __future__ import annotations

import itertools
import os
import random
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest
from journal_world import NOW, ROOT, THERE, a_ticket, an_item, receipt_of, running, take_ticket

from bulkup.errors import JournalError, UsageError
from bulkup.journal import Destination, Reader
from bulkup.journal.merged_manifest import MergedManifest
from bulkup.model.items import Outcome
from bulkup.model.journal_rows import ManifestRow
from bulkup.model.problems import Problem, ProblemKind
from bulkup.model.shard import Shard
from bulkup.model.states import FileState

OTHER = Destination("magic-hour", "https://other.example")
FAILED = Problem(ProblemKind.REJECTED, "no")


async def record(
    path: Path,
    states: dict[bytes, FileState],
    *,
    now: float = NOW,
    root: bytes = ROOT,
    shard: Shard | None = None,
    destination: Destination = THERE,
) -> None:
    """Run once, and settle files in these states; a pending one is left with its intent."""
    async with running(path, root, now=now, shard=shard, destination=destination) as (journal, (source,)):
        outcomes = []
        for name, state in states.items():
            item = an_item(source, name)
            if state is FileState.PENDING:
                await journal.pending([item])
                continue
            if state is FileState.UPLOADED:
                item.ticket, item.receipt = a_ticket(f"id-{os.fsdecode(name)}"), receipt_of(item)
            outcomes.append(Outcome(item, state, None if state is FileState.UPLOADED else FAILED))
        await journal.settled(outcomes, now)


def merged(
    *paths: Path, states: Sequence[FileState] = (), since: str | None = None, mixed: bool = False
) -> list[ManifestRow]:
    with MergedManifest(list(map(str, paths)), mixed=mixed) as manifest:
        return list(manifest.rows(states, since))


def found(*paths: Path, **options: object) -> dict[bytes, FileState]:
    rows = merged(*paths, **options)  # type: ignore[arg-type]
    assert len({row.path for row in rows}) == len(rows)
    return {row.path: row.status for row in rows}


async def test_the_journals_of_shards_make_the_manifest_of_one_run(tmp_path: Path) -> None:
    """In the same order, also with more rows than a query reads."""
    names = [b"d%d/%d" % (number % 7, number) for number in range(1500)]
    random.Random(1).shuffle(names)
    whole, parts = tmp_path / "whole.sqlite3", [tmp_path / f"{number}.sqlite3" for number in (1, 2, 3)]
    await record(whole, dict.fromkeys(names, FileState.UPLOADED))
    for number, part in enumerate(parts, start=1):
        shard = Shard(number, 3)
        await record(part, dict.fromkeys(filter(shard.takes, names), FileState.UPLOADED), shard=shard)
    with Reader(str(whole)) as reader:
        expected = [row.path for row in reader.manifest()]
    assert [row.path for row in merged(*parts)] == expected == sorted(names)
    with MergedManifest(list(map(str, parts))) as manifest:
        list(manifest.rows())
        assert (manifest.counts.repeated, manifest.counts.rows_left_out) == (0, 0)
        assert manifest.shards() == [Shard(1, 3), Shard(2, 3), Shard(3, 3)]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
async def test_a_file_in_several_journals_is_as_the_newest_run_with_a_result_left_it(
    tmp_path: Path, order: tuple[int, ...]
) -> None:
    paths = [tmp_path / f"{number}.sqlite3" for number in range(3)]
    await record(paths[0], {b"a": FileState.FAILED, b"b": FileState.UPLOADED, b"c": FileState.PENDING}, now=NOW)
    await record(paths[1], {b"a": FileState.UPLOADED, b"b": FileState.REJECTED}, now=NOW + 10)
    await record(paths[2], {b"a": FileState.PENDING, b"c": FileState.PENDING}, now=NOW + 20)
    chosen = [paths[number] for number in order]
    with MergedManifest(list(map(str, chosen))) as manifest:
        rows = {row.path: row.status for row in manifest.rows()}
        assert rows == {b"a": FileState.UPLOADED, b"b": FileState.REJECTED, b"c": FileState.PENDING}
        assert (manifest.counts.repeated, manifest.counts.rows_left_out) == (3, 4)
    # A filter sees the file as it is listed: an older row of another state is not taken in its place.
    assert found(*chosen, states=[FileState.FAILED]) == {}
    assert found(*chosen, states=[FileState.UPLOADED]) == {b"a": FileState.UPLOADED}


async def test_files_since_a_run_of_one_of_the_journals(tmp_path: Path) -> None:
    one, two = tmp_path / "1.sqlite3", tmp_path / "2.sqlite3"
    await record(one, {b"a": FileState.UPLOADED}, now=NOW)
    await record(two, {b"b": FileState.UPLOADED}, now=NOW + 10)
    await record(one, {b"c": FileState.UPLOADED}, now=NOW + 20)
    with Reader(str(two)) as reader:
        (run,) = reader.runs()
    assert found(one, two, since=run.run[:8]).keys() == {b"b", b"c"}
    assert found(one, two, since="last").keys() == {b"b", b"c"}
    for name, said in (("", "several runs|no run"), ("none", "the journals have no run none")):
        with pytest.raises(UsageError, match=said):
            found(one, two, since=name)


@pytest.mark.parametrize("what", ["destination", "source"])
async def test_journals_of_other_uploads_are_refused_unless_told(tmp_path: Path, what: str) -> None:
    one, two = tmp_path / "1.sqlite3", tmp_path / "2.sqlite3"
    await record(one, {b"a": FileState.UPLOADED})
    if what == "source":
        await record(two, {b"a": FileState.UPLOADED}, root=b"/elsewhere")
    else:
        await record(two, {b"a": FileState.UPLOADED}, destination=OTHER)
    with pytest.raises(UsageError, match=rf"2\.sqlite3 has another {what} than .*1\.sqlite3") as raised:
        found(one, two)
    assert "--mixed" in raised.value.hint
    assert [row.path for row in merged(one, two, mixed=True)] == [b"a", b"a"]


async def test_a_journal_in_use_is_read_and_a_damaged_or_missing_one_is_named(tmp_path: Path) -> None:
    one, two = tmp_path / "1.sqlite3", tmp_path / "2.sqlite3"
    await record(one, {b"a": FileState.UPLOADED})
    async with running(two) as (journal, (source,)):
        item = an_item(source, b"b")
        await take_ticket(journal, item, a_ticket("id-b", NOW + 900))
        assert found(one, two) == {b"a": FileState.UPLOADED, b"b": FileState.TICKETED}
    two.write_bytes(two.read_bytes()[:5000])
    with pytest.raises(JournalError, match=r"2\.sqlite3"):
        found(one, two)
    with pytest.raises(JournalError, match="there is no journal at"):
        found(one, tmp_path / "3.sqlite3")


async def test_a_journal_that_is_named_twice(tmp_path: Path) -> None:
    one, link = tmp_path / "1.sqlite3", tmp_path / "link.sqlite3"
    await record(one, {b"a": FileState.UPLOADED})
    link.symlink_to(one)
    with pytest.raises(UsageError, match=r"link\.sqlite3 is named twice"):
        found(one, link)


async def test_names_of_sources_make_one_source_of_several_mounts(tmp_path: Path) -> None:
    """Each machine may have mounted it elsewhere."""
    paths = [tmp_path / f"{number}.sqlite3" for number in (1, 2)]
    for number, path in enumerate(paths):
        await record(path, {b"%d" % number: FileState.UPLOADED, b"both": FileState.UPLOADED}, root=b"/mnt/%d" % number)
        with sqlite3.connect(path) as connection:
            connection.execute("UPDATE sources SET name = 'the disk'")
        connection.close()
    assert found(*paths) == dict.fromkeys((b"0", b"1", b"both"), FileState.UPLOADED)
