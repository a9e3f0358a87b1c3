"""The hasher: groups by size, and the next stage of each file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import anyio
import pytest
from found_files import found, md5_of
from hypothesis import given
from hypothesis import strategies as st

from bulkup.errors import MachineError
from bulkup.helpers.clock import SystemClock
from bulkup.journal import Journal
from bulkup.model.files import Digest, FoundFile, Identity, Source
from bulkup.model.items import Item, Outcome
from bulkup.model.problems import Problem, ProblemKind
from bulkup.model.states import FileState
from bulkup.pipeline import hasher as hasher_module
from bulkup.pipeline.files.digests import Hashed
from bulkup.pipeline.hasher import Hasher
from bulkup.pipeline.options import PipelineOptions
from bulkup.pipeline.routes import Routes
from bulkup.pipeline.run import Run
from bulkup.providers import Capabilities, Provider, ProviderConfig

MIB = 1024**2
SOURCE = Source(b"/data")


def an_item(size: int = 1, **values: Any) -> Item:
    return Item(FoundFile(SOURCE, b"a", Identity(size, 1, 1, 1, 1)), **values)


class Service(Provider):
    """A provider of which only the capabilities are needed."""

    name = "service"
    capabilities = Capabilities(batch_limit=1, batch_size=1, checksum_first=True)

    async def presign(self, specs: Any, call: Any) -> Any:
        raise NotImplementedError


class FakeJournal:
    """Keeps the digests that it records."""

    def __init__(self) -> None:
        self.recorded: list[list[Item]] = []

    async def pending(self, items: Sequence[Item], *_: Any) -> None:
        self.recorded.append(list(items))


class Station:
    """A hasher alone, with everything that it passes on."""

    def __init__(self) -> None:
        nothing = cast("Any", None)
        options = PipelineOptions(batch_size=1000)
        provider = Service(ProviderConfig("https://api.example"))
        self.journal, self.asked, self.settled, self.emptied = (
            FakeJournal(),
            list[Item](),
            list[Outcome](),
            anyio.Event(),
        )
        journal = cast("Journal", self.journal)
        self.run = Run(provider, nothing, nothing, journal, SystemClock(), options, (), nothing)
        routes = Routes()
        routes.ask, routes.settle, routes.hashing_ended = self.asked.append, self.settled.append, self.emptied.set
        self.hasher = Hasher(self.run, routes)

    async def read(self, items: Sequence[Item]) -> None:
        """Read all items."""
        for item in items:
            self.hasher.add(item)
        assert self.hasher.files() == len(items)
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self.hasher.work)
                await self.emptied.wait()
                tasks.cancel_scope.cancel()
        finally:
            self.hasher.close()
        assert self.hasher.files() == 0


async def test_the_result_decides_the_next_stage_of_a_file(tmp_path: Path) -> None:
    """New files are recorded and passed on together, a known and a changed one are settled."""
    files = [found(tmp_path / name, name.encode()) for name in ("new", "known", "gone", "other")]
    os.unlink(files[2].full_path)
    items = [Item(file) for file in files]
    items[1].known_digest = md5_of(b"known")
    items[3].known_digest = md5_of(b"what it was")
    station = Station()
    await station.read(items)
    assert station.asked == [items[0], items[3]]
    assert station.journal.recorded == [[items[0], items[3]]]
    assert [item.digest for item in station.asked] == [md5_of(b"new"), md5_of(b"other")]
    known, gone = station.settled
    assert (known.item, known.state, known.unchanged) == (items[1], FileState.UPLOADED, True)
    assert (gone.item, gone.state) == (items[2], FileState.CHANGED)


@pytest.mark.parametrize(
    ("result", "given_back"),
    [(None, True), (Problem(ProblemKind.MACHINE, "out of descriptors"), True)],
    ids=["stop", "machine"],
)
async def test_a_stop_or_a_machine_problem_gives_files_back(
    monkeypatch: pytest.MonkeyPatch, result: Hashed, given_back: bool
) -> None:
    """Without descriptors the run ends."""

    async def results(files: Sequence[FoundFile], *_: Any, **__: Any) -> list[Hashed]:
        return [result] * len(files)

    monkeypatch.setattr(hasher_module, "digests_of", results)
    station, items = Station(), [an_item(), an_item()]
    await station.read(items)
    assert [(outcome.item, outcome.state) for outcome in station.settled] == [(item, None) for item in items]
    assert station.asked == []
    assert isinstance(station.run.stop.error, MachineError) is (result is not None)


sizes = st.lists(st.sampled_from([0, 1, 300_000, MIB - 1, MIB, MIB + 1, 9 * MIB]), min_size=1, max_size=200)


@given(sizes)
async def test_small_files_are_read_in_groups_and_large_ones_alone(sizes: list[int]) -> None:
    """At most 64 files or about 1 MiB at once, in order, without losing one."""
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
