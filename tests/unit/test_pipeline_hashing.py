"""Hashing ahead in groups: files that fail among good ones, groups by size, and where each file goes on."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkup.errors import MachineError
from bulkup.helpers.clock import SystemClock
from bulkup.model.files import Digest, FoundFile, Identity, Source
from bulkup.model.items import Item, Outcome
from bulkup.model.problems import Problem, ProblemKind
from bulkup.model.states import FileState
from bulkup.pipeline import hasher as hasher_module
from bulkup.pipeline.files.digests import Hashed, digests_of
from bulkup.pipeline.hasher import Hasher
from bulkup.pipeline.options import PipelineOptions
from bulkup.pipeline.run import Run
from bulkup.providers import Capabilities, Provider, ProviderConfig

MIB = 1024**2
SOURCE = Source(b"/data")


def found(path: Path, content: bytes) -> FoundFile:
    path.write_bytes(content)
    return FoundFile(Source(os.fsencode(path.parent)), os.fsencode(path.name), Identity.of(path.stat()))


def md5_of(data: bytes) -> Digest:
    return Digest(hashlib.md5(data, usedforsecurity=False).digest())


def an_item(size: int = 1, **values: Any) -> Item:
    return Item(FoundFile(SOURCE, b"a", Identity(size, 1, 1, 1, 1)), **values)


async def test_a_file_that_fails_is_no_matter_of_the_others(tmp_path: Path) -> None:
    """Each has its own result, in the order given: a digest, a change, or the system's reason."""
    files = [found(tmp_path / f"{n}", b"%d" % n) for n in range(5)]
    os.unlink(files[1].full_path)
    (tmp_path / "2").write_bytes(b"longer than before")
    os.unlink(files[3].full_path)
    os.mkdir(files[3].full_path)
    results = await digests_of(files, anyio.CapacityLimiter(1), follow_links=False)
    assert [result.kind if isinstance(result, Problem) else result for result in results] == [
        (md5_of(b"0"), files[0].identity),
        ProblemKind.CHANGED,
        ProblemKind.CHANGED,
        ProblemKind.CHANGED,
        (md5_of(b"4"), files[4].identity),
    ]


async def test_a_stop_leaves_the_rest_unread(tmp_path: Path) -> None:
    """What was hashed by then is told; all else goes back to the next run."""
    files = [found(tmp_path / f"{n}", b"x") for n in range(4)]
    looks = iter([False, False, True, True, True, True])
    results = await digests_of(files, anyio.CapacityLimiter(1), follow_links=False, stopped=lambda: next(looks))
    assert results == [(md5_of(b"x"), files[0].identity), None, None, None]


async def test_no_files_are_no_trouble() -> None:
    """An empty group has no results."""
    assert await digests_of([], anyio.CapacityLimiter(1), follow_links=False) == []


class Service(Provider):
    """A provider of which only the capabilities are needed."""

    name = "service"
    capabilities = Capabilities(batch_limit=1, batch_size=1, checksum_first=True)

    async def presign(self, specs: Any, call: Any) -> Any:
        raise NotImplementedError


class Recorder:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.settled: list[Outcome] = []
        self.given_back: list[Item] = []
        self.recorded: list[list[Item]] = []

    def settle(self, outcome: Outcome) -> None:
        self.settled.append(outcome)

    def give_back(self, item: Item) -> None:
        self.given_back.append(item)

    async def pending(self, items: Sequence[Item]) -> None:
        self.recorded.append(list(items))


class Station:
    """A hasher with fakes on all sides."""

    def __init__(self) -> None:
        nothing = cast("Any", None)
        options = PipelineOptions(batch_size=1000)
        provider = Service(ProviderConfig("https://api.example"))
        self.run = Run(provider, nothing, nothing, nothing, SystemClock(), options, (), nothing)
        self.recorder, self.asked, self.emptied = Recorder(), list[Item](), anyio.Event()
        self.hasher = Hasher(self.run, cast("Any", self.recorder), nothing, self.asked.append, self.emptied.set)

    async def read(self, items: Sequence[Item]) -> None:
        """Have all items read, to the last."""
        for item in items:
            self.hasher.add(item)
        assert self.hasher.depth == len(items)
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self.hasher.work)
                await self.emptied.wait()
                tasks.cancel_scope.cancel()
        finally:
            self.hasher.close()
        assert self.hasher.depth == 0


async def test_every_file_goes_where_its_result_says(tmp_path: Path) -> None:
    """Good ones are recorded and asked for together; a known one is settled; one that changed is apart."""
    files = [found(tmp_path / name, name.encode()) for name in ("new", "known", "gone", "other")]
    os.unlink(files[2].full_path)
    items = [Item(file) for file in files]
    items[1].known_digest = md5_of(b"known")
    items[3].known_digest = md5_of(b"what it was")
    station = Station()
    await station.read(items)
    assert station.asked == [items[0], items[3]]
    assert station.recorder.recorded == [[items[0], items[3]]]
    assert [item.digest for item in station.asked] == [md5_of(b"new"), md5_of(b"other")]
    known, gone = station.recorder.settled
    assert (known.item, known.state, known.unchanged) == (items[1], FileState.UPLOADED, True)
    assert (gone.item, gone.state) == (items[2], FileState.CHANGED)


@pytest.mark.parametrize(
    ("result", "given_back"),
    [(None, True), (Problem(ProblemKind.MACHINE, "out of descriptors"), True)],
    ids=["stop", "machine"],
)
async def test_what_is_no_fault_of_a_file_gives_it_back(
    monkeypatch: pytest.MonkeyPatch, result: Hashed, given_back: bool
) -> None:
    """The next run reads it; out of descriptors, this one ends."""

    async def results(files: Sequence[FoundFile], *_: Any, **__: Any) -> list[Hashed]:
        return [result] * len(files)

    monkeypatch.setattr(hasher_module, "digests_of", results)
    station, items = Station(), [an_item(), an_item()]
    await station.read(items)
    assert station.recorder.given_back == items
    assert station.asked == []
    assert isinstance(station.run.stop.error, MachineError) is (result is not None)


sizes = st.lists(st.sampled_from([0, 1, 300_000, MIB - 1, MIB, MIB + 1, 9 * MIB]), min_size=1, max_size=200)


@given(sizes)
@settings(deadline=None)
async def test_small_files_are_read_in_groups_and_large_ones_alone(sizes: list[int]) -> None:
    """No more than 64 or about a mebibyte at once, in the order they came, and none is left behind."""
    groups = list[list[Item]]()

    async def results(files: Sequence[FoundFile], *_: Any, **__: Any) -> list[Hashed]:
        groups.append([next(item for item in items if item.file is file) for file in files])
        return [(Digest(b"d" * 16), file.identity) for file in files]

    station, items = Station(), [an_item(size) for size in sizes]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(hasher_module, "digests_of", results)
        await station.read(items)
    assert [item for group in groups for item in group] == items
    assert station.asked == items
    for group in groups:
        *most, last = [item.file.identity.size for item in group]
        assert len(group) <= 64
        assert sum(most) < MIB
        assert not most or last <= MIB
