"""Exclusive places: the first claim wins, the service's files keep theirs, and other claims can be replaced."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from journal_world import NOW, ROOT, THERE, a_ticket, an_item, ask, found, problem, receipt_of, running, upload_one

from bulkup.journal import Claim, Destination, Holder, Journal, read_only_view
from bulkup.model.files import Place, Source
from bulkup.model.items import Item, Outcome
from bulkup.model.states import FileState


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite3"


def claim(source: Source, name: str, path: bytes) -> Claim:
    return Claim(name, (source.id, path), os.path.join(source.root, path))


def holder(path: bytes, root: bytes = ROOT) -> Holder:
    return Holder(root, path)


async def put_into(journal: Journal, item: Item, state: FileState) -> None:
    """Take an item up to `state`."""
    ticket = a_ticket(item.file.path.decode())
    if state in (FileState.UPLOADED, FileState.UNVERIFIED):
        await upload_one(journal, item, ticket)
        return
    group = await ask(journal, item)
    if state is FileState.ASKED:
        return
    if state in (FileState.TICKETED, FileState.STORED):
        await journal.ticketed(group, [ticket])
        item.ticket, item.receipt = ticket, receipt_of(item)
        if state is FileState.STORED:
            await journal.stored([item])
    elif state is FileState.PENDING:
        await journal.settled([Outcome(item, None)], NOW)
    else:
        await journal.settled([Outcome(item, state, problem())], NOW)


async def test_the_first_claim_of_a_run_wins(path: Path) -> None:
    """Later claims return the holder. The holder itself may claim again."""
    async with running(path) as (journal, (source,)):
        assert await journal.claim([claim(source, "MAIN", b"a")]) == [None]
        assert await journal.claim([claim(source, "MAIN", b"b")]) == [holder(b"a")]
        assert await journal.claim([claim(source, "MAIN", b"a")]) == [None]
        assert await journal.claim([claim(source, "other", b"b")]) == [None]


async def test_claims_of_one_call_are_settled_in_their_order(path: Path) -> None:
    """Two claims of one place, a repeated one and a free place each get their own answer."""
    async with running(path) as (journal, (source,)):
        names = [("k", b"a"), ("k", b"b"), ("l", b"b"), ("k", b"a"), ("m", b"c"), ("l", b"c")]
        answers = await journal.claim([claim(source, *pair) for pair in names])
    assert answers == [None, holder(b"a"), None, None, None, holder(b"b")]


async def test_no_claims_need_no_write(path: Path) -> None:
    """Most groups of files have none."""
    async with running(path) as (journal, _):
        assert await journal.claim([]) == []


async def test_each_of_hundreds_of_claims_is_answered(path: Path) -> None:
    """They are more than one statement takes."""
    async with running(path) as (journal, (source,)):
        first = [claim(source, f"k{n}", b"%d" % n) for n in range(300)]
        assert await journal.claim(first) == [None] * 300
        second = [claim(source, f"k{n}", b"x%d" % n) for n in range(600)]
        assert await journal.claim(second) == [holder(b"%d" % n) if n < 300 else None for n in range(600)]


async def test_a_place_belongs_to_its_destination(path: Path) -> None:
    """The same key in another pipeline is another object."""
    async with running(path) as (journal, (source,)):
        await journal.claim([claim(source, "k", b"a")])
        await put_into(journal, an_item(source, b"a"), FileState.UPLOADED)
    async with running(path, destination=Destination("xvid", "https://x", "other")) as (journal, (source,)):
        assert await journal.claim([claim(source, "k", b"b")]) == [None]


async def test_a_holder_may_be_of_another_source(path: Path) -> None:
    """It is named by its own directory."""
    async with running(path, b"/one", b"/two") as (journal, (one, two)):
        assert await journal.claim([claim(one, "k", b"a"), claim(two, "k", b"a")]) == [None, holder(b"a", b"/one")]


KEEPING = [FileState.TICKETED, FileState.STORED, FileState.UPLOADED, FileState.UNVERIFIED]
LOSING = [state for state in FileState if state not in KEEPING]


@pytest.mark.parametrize("state", KEEPING)
async def test_a_file_at_the_service_keeps_its_place(path: Path, state: FileState) -> None:
    """So does a file with a ticket, in this run and later ones."""
    async with running(path) as (journal, (source,)):
        await journal.claim([claim(source, "k", b"a")])
        await put_into(journal, an_item(source, b"a"), state)
    for _ in range(2):
        async with running(path) as (journal, (source,)):
            assert await journal.claim([claim(source, "k", b"b")]) == [holder(b"a")]
            assert await journal.claim([claim(source, "k", b"a")]) == [None]


@pytest.mark.parametrize("state", [None, *LOSING])
async def test_a_later_run_takes_over_an_unused_claim(path: Path, state: FileState | None) -> None:
    """But not the same run, in which the file may still be uploaded."""
    async with running(path) as (journal, (source,)):
        await journal.claim([claim(source, "k", b"a")])
        if state is not None:
            await put_into(journal, an_item(source, b"a"), state)
        assert await journal.claim([claim(source, "k", b"b")]) == [holder(b"a")]
    async with running(path) as (journal, (source,)):
        later = [claim(source, "k", b"b"), claim(source, "k", b"c"), claim(source, "k", b"a")]
        assert await journal.claim(later) == [None, holder(b"b"), holder(b"b")]


@pytest.mark.parametrize("state", LOSING)
async def test_an_uploaded_file_that_changed_keeps_its_place(path: Path, state: FileState) -> None:
    """The service has the old version, also if the new one fails."""
    async with running(path) as (journal, (source,)):
        await journal.claim([claim(source, "k", b"a")])
        await put_into(journal, an_item(source, b"a"), FileState.UPLOADED)
        await put_into(journal, an_item(source, b"a"), state)
    async with running(path) as (journal, (source,)):
        assert await journal.claim([claim(source, "k", b"b")]) == [holder(b"a")]


async def test_the_next_run_reads_the_place_of_a_file(path: Path) -> None:
    """So that a file that gets another place is uploaded again."""
    async with running(path) as (journal, (source,)):
        await upload_one(journal, an_item(source, b"a", place=Place("k", exclusive=True)), a_ticket("r"))
        await journal.pending([an_item(source, b"b", place=Place("l"))])
        await journal.pending([an_item(source, b"c")])
        known = [found(journal, an_item(source, name)) for name in (b"a", b"b", b"c")]
    assert [row and row.place for row in known] == ["k", "l", None]


async def test_a_dry_run_claims_on_top_of_the_journal(path: Path) -> None:
    """It sees kept places, takes over unused claims, and leaves no claim behind."""
    async with running(path) as (journal, (source,)):
        await journal.claim([claim(source, "kept", b"a"), claim(source, "lost", b"b")])
        await put_into(journal, an_item(source, b"a"), FileState.UPLOADED)
        await put_into(journal, an_item(source, b"b"), FileState.FAILED)
    for _ in range(2):
        with read_only_view(str(path), THERE, [Source(ROOT)]) as look:
            assert look.places.claim(Claim("kept", (1, b"c"), ROOT + b"/" + b"c"), holder(b"c")) == holder(b"a")
            assert look.places.claim(Claim("kept", (1, b"a"), ROOT + b"/" + b"a"), holder(b"a")) is None
            assert look.places.claim(Claim("lost", (1, b"c"), ROOT + b"/" + b"c"), holder(b"c")) is None
            assert look.places.claim(Claim("lost", (1, b"b"), ROOT + b"/" + b"b"), holder(b"b")) == holder(b"c")


FILES = [b"a", b"b", b"c"]
NAMES = ["k", "l"]
claims = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(FILES)), max_size=4)


class PlacesMachine(RuleBasedStateMachine):
    """A dict of places beside the real journal, and dry runs that must agree with the next run."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.Runner()
        self.folder = Path(tempfile.mkdtemp())
        self.run_number = 0
        self.places: dict[str, tuple[bytes, int]] = {}
        self.uploaded: set[bytes] = set()
        self.ticketed: set[bytes] = set()
        self.journal: Journal
        self.source: Source

    def keeps(self, name: bytes) -> bool:
        return name in self.uploaded | self.ticketed

    @initialize()
    def begin(self) -> None:
        async def begin() -> None:
            self.journal = await Journal.open(str(self.folder / "journal.sqlite3"))
            (self.source,) = await self.journal.begin_run(THERE, (Source(ROOT),), now=NOW, kept_until=lambda _: None)

        self.run_number += 1
        self.loop.run(begin())

    @rule(wanted=claims)
    def claim(self, wanted: Sequence[tuple[str, bytes]]) -> None:
        for name, file in wanted:
            held = self.places.get(name)
            if held is None or held[0] == file or (held[1] != self.run_number and not self.keeps(held[0])):
                self.places[name] = (file, self.run_number)
        answers = self.loop.run(self.journal.claim([claim(self.source, *pair) for pair in wanted]))
        holders = [self.places[name][0] for name, _ in wanted]
        assert answers == [None if has == file else holder(has) for has, (_, file) in zip(holders, wanted, strict=True)]

    @rule(file=st.sampled_from(FILES), state=st.sampled_from(FileState))
    def move_on(self, file: bytes, state: FileState) -> None:
        item = an_item(self.source, file)
        if file in self.ticketed:  # the file there is given up first
            item.ticket = a_ticket(file.decode())
            self.loop.run(self.journal.settled([Outcome(item, FileState.FAILED, problem())], NOW))
            item.ticket = None
        self.loop.run(put_into(self.journal, item, state))
        self.ticketed.discard(file)
        if state in (FileState.TICKETED, FileState.STORED):
            self.ticketed.add(file)
        elif state in KEEPING:
            self.uploaded.add(file)

    @rule()
    def next_run(self) -> None:
        self.journal.close()
        self.begin()

    @invariant()
    @precondition(lambda self: self.run_number > 0)
    def a_dry_run_agrees_with_the_next_run(self) -> None:
        for file in FILES:
            with read_only_view(str(self.folder / "journal.sqlite3"), THERE, [Source(ROOT)]) as look:
                for name in NAMES:
                    held = self.places.get(name)
                    kept = held is not None and held[0] != file and self.keeps(held[0])
                    expected = holder(held[0]) if held is not None and kept else None
                    assert look.places.claim(claim(self.source, name, file), holder(file)) == expected

    def teardown(self) -> None:
        if self.run_number:
            with contextlib.suppress(AttributeError):
                self.journal.close()
        self.loop.close()
        shutil.rmtree(self.folder)


TestPlacesModel = pytest.mark.unmeasured(PlacesMachine.TestCase)
TestPlacesModel.settings = settings(max_examples=25, stateful_step_count=20, suppress_health_check=list(HealthCheck))
