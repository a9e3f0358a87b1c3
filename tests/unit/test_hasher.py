"""The hasher: groups by size, and the next stage of each file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest
import stage_world
from found_files import found, md5_of
from hypothesis import given
from hypothesis import strategies as st
from stage_world import Passed, StageRun

from bulkup.errors import MachineError
from bulkup.model.files import Digest, FoundFile
from bulkup.model.items import Item, Outcome
from bulkup.model.problems import Problem, ProblemKind
from bulkup.model.states import FileState
from bulkup.pipeline import RetryPolicy
from bulkup.pipeline import hasher as hasher_module
from bulkup.pipeline.files.digests import Hashed
from bulkup.pipeline.hasher import Hasher

MIB = 1024**2


def an_item(size: int = 1) -> Item:
    return Item(stage_world.found(b"a", size))


class HasherStage(StageRun):
    """A hasher alone, for a service that needs checksums first."""

    def __init__(self, **options: Any) -> None:
        super().__init__(batch_size=1000, **options)
        self.provider.can(checksum_first="md5")
        self.passed = Passed(self.events)
        self.emptied = anyio.Event()
        self.passed.routes.hashing_ended = self.emptied.set
        self.hasher = Hasher(self.run, self.passed.routes)

    async def read(self, items: Sequence[Item]) -> None:
        """Read all items."""
        for item in items:
            self.hasher.add(item)
        assert self.hasher.files() == len(items)
        try:
            async with self.working(self.hasher.work):
                await self.emptied.wait()
        finally:
            self.hasher.close()
        assert self.hasher.files() == 0


async def test_the_result_decides_the_next_stage_of_a_file(tmp_path: Path) -> None:
    """New files go on together, unchanged and vanished ones are settled."""
    files = [found(tmp_path / name, name.encode()) for name in ("new", "known", "gone", "other")]
    os.unlink(files[2].full_path)
    items = [Item(file) for file in files]
    items[1].known_digest = md5_of(b"known")
    items[3].known_digest = md5_of(b"the earlier content")
    stage = HasherStage()
    await stage.read(items)
    assert stage.passed.through("ask") == [items[0], items[3]]
    assert [items[0].digest, items[3].digest] == [md5_of(b"new"), md5_of(b"other")]
    known, gone = stage.passed.settled
    assert (known.item, known.state, known.unchanged) == (items[1], FileState.UPLOADED, True)
    assert (gone.item, gone.state) == (items[2], FileState.CHANGED)


def hash_to(monkeypatch: pytest.MonkeyPatch, result: Hashed) -> None:
    """Have every file hashed to this result, without reading it."""

    async def results(files: Sequence[FoundFile], *_: Any, **__: Any) -> list[Hashed]:
        return [result] * len(files)

    monkeypatch.setattr(hasher_module, "digests_of", results)


async def test_digests_are_on_disk_before_their_files_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """A ticket for earlier content becomes an orphan with that row."""
    stage, item = HasherStage(), an_item()
    former = item.ticket = stage_world.ticket()
    hash_to(monkeypatch, (Digest(b"d" * 16), item.file.identity))
    await stage.read([item])
    assert stage.events == ["pending", "ask"]
    assert stage.journal.arguments == [([item], [(item, former)], stage.clock.now())]
    assert item.ticket is None


async def test_digests_that_only_compare_files_are_not_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The service does not need them for its presign call."""
    stage, item = HasherStage(), an_item()
    stage.provider.can(checksum_first=None)
    hash_to(monkeypatch, (Digest(b"d" * 16), item.file.identity))
    await stage.read([item])
    assert stage.events == ["ask"]


@pytest.mark.parametrize("result", [None, Problem(ProblemKind.MACHINE, "out of descriptors")], ids=["stop", "machine"])
async def test_a_stop_or_a_machine_problem_gives_files_back(monkeypatch: pytest.MonkeyPatch, result: Hashed) -> None:
    """A fault of the machine ends the run as well."""
    hash_to(monkeypatch, result)
    stage, items = HasherStage(), [an_item(), an_item()]
    await stage.read(items)
    assert stage.passed.values == [("settle", Outcome(item, None)) for item in items]
    assert isinstance(stage.run.stop.error, MachineError) is (result is not None)


async def test_an_unreadable_file_is_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = Problem(ProblemKind.UNREADABLE, "permission denied")
    hash_to(monkeypatch, problem)
    stage, item = HasherStage(), an_item()
    await stage.read([item])
    assert stage.passed.values == [("settle", Outcome(item, FileState.UNREADABLE, problem))]


async def test_a_file_that_changes_is_rechecked_where_changes_are_retried(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = Problem(ProblemKind.CHANGED, "it grew")
    hash_to(monkeypatch, problem)
    stage, item = HasherStage(retry=RetryPolicy(on_change="retry", rechecks=(7.0,))), an_item()
    await stage.read([item])
    assert stage.passed.values == [("recheck", (item, problem, stage.clock.time + 7.0))]
    assert item.history.changes == 1


sizes = st.lists(st.sampled_from([0, 1, 300_000, MIB - 1, MIB, MIB + 1, 9 * MIB]), min_size=1, max_size=200)


@given(sizes)
async def test_small_files_are_read_in_groups_and_large_ones_alone(sizes: list[int]) -> None:
    """A group has at most 64 files and about 1 MiB. All files are read, in their order."""
    groups = list[list[Item]]()

    async def results(files: Sequence[FoundFile], *_: Any, **__: Any) -> list[Hashed]:
        groups.append([next(item for item in items if item.file is file) for file in files])
        return [(Digest(b"d" * 16), file.identity) for file in files]

    stage, items = HasherStage(), [an_item(size) for size in sizes]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(hasher_module, "digests_of", results)
        await stage.read(items)
    assert [item for group in groups for item in group] == items
    assert stage.passed.through("ask") == items
    for group in groups:
        *most, last = [item.file.identity.size for item in group]
        assert len(group) <= 64
        assert sum(most) < MIB
        assert not most or last <= MIB
