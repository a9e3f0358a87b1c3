"""The journal compared with a plain model, and cut off between any two writes.

A crash is real: the files are copied from disk in the middle of a run, and the write-ahead log is cut at any byte. A
commit is written only to the log until a checkpoint moves it to the file, so a log cut at a byte is the state after a
kill at that instant. The recorded rows must be those of the model: all awaited calls, and each call in progress either
completely or not at all.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import struct
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from journal_model import Key, Model, recorded
from journal_world import NOW, a_ticket, an_item, identity, receipt_of

from bulkup.journal import Claim, Destination, Journal, Reader
from bulkup.model.files import UNKNOWN_IDENTITY, Digest, Identity, Place, Source
from bulkup.model.items import Group, Item, Outcome
from bulkup.model.problems import Problem, ProblemKind
from bulkup.model.states import DONE, FileState
from bulkup.model.tickets import Ticket

DESTINATIONS = [Destination("magic-hour", "https://one.example"), Destination("xvid", "https://two.example")]
SOURCES = (Source(b"/data/media"), Source(b"/data/more"))
FILES = [(source, path) for source in range(2) for path in (b"a", b"b")]
PLACES = ["main", "other"]
MD5 = b"m" * 16
REJECTED = 0.0  # in place of a lease
FAILURE = Problem(ProblemKind.FAILED, "it broke")
NOT_CLOSED = Problem(ProblemKind.TRANSIENT, "the closing call did not come through")
ENDS = (FileState.FAILED, FileState.REJECTED, FileState.CHANGED, FileState.UNREADABLE)

files = st.sampled_from(FILES)
some_files = st.lists(files, min_size=1, max_size=3, unique=True)
versions = st.integers(1, 2).map(lambda version: identity(size=version, mtime=version))
_LOG_HEADER, _FRAME = 32, 24 + 4096

Call = Awaitable[object]
Change = Callable[[Model], object]


@dataclass(frozen=True)
class Instant:
    """The journal when its log had `end` bytes in use. `under_way` are the models possible on the way there."""

    end: int
    model: Model
    under_way: Sequence[Model] = ()


@dataclass
class Disk:
    """The folder of the journal, and all instants that can be restored by cutting its log."""

    folder: Path
    instants: list[Instant] = field(default_factory=list)
    file: tuple[int, int] = (0, 0)

    @property
    def journal(self) -> Path:
        return self.folder / "journal.sqlite3"

    @property
    def log(self) -> Path:
        return self.folder / "journal.sqlite3-wal"

    def end(self) -> int:
        """The number of bytes of the log in use, from SQLite's index. Bytes after it are older than a crash."""
        with (self.folder / "journal.sqlite3-shm").open("rb") as index:
            frames: int = struct.unpack("=I", index.read(20)[16:])[0]
        return _LOG_HEADER + frames * _FRAME

    def file_as_it_is(self) -> tuple[int, int]:
        status = self.journal.stat()
        return status.st_size, status.st_mtime_ns

    def cut(self, to: Path, end: int) -> tuple[Disk, list[Model]]:
        """Return the disk after a crash with the log cut there, and the models that it may match."""
        before = [instant for instant in self.instants if instant.end <= end]
        after = next((instant for instant in self.instants if instant.end > end), None)
        to.mkdir()
        shutil.copy2(self.journal, to)
        (to / self.log.name).write_bytes(self.log.read_bytes()[:end])
        may_be = [before[-1].model, *(after.under_way if after is not None and end > before[-1].end else ())]
        return Disk(to, before), may_be


def in_the_model(model: Model) -> tuple[Any, ...]:
    """What readers should show."""
    states = Counter(row.state for row in model.rows.values())
    rows = sorted((key.source, key.path, row.state, row.remote_id or "") for key, row in model.rows.items())
    ids = Counter(ticket.remote_id for ticket in model.tickets.values())
    return states, rows, ids, states[FileState.ASKED]


def seen_by_readers(path: Path) -> tuple[Any, ...]:
    """The states of all files, and the ids of live tickets."""
    with Reader(str(path)) as reader:
        rows = sorted((row.source, row.path, row.status, row.remote_id or "") for row in reader.manifest())
        live = list(reader.interrupted())
        ids = Counter(row.remote_id for row in live if row.remote_id is not None)
        return Counter(reader.status().files), rows, ids, sum(row.count for row in live if row.remote_id is None)


def some_are(*states: FileState) -> Callable[[Any], Any]:
    """Allow a rule only if there are files in these states."""
    return precondition(lambda machine: bool(machine.all_in(*states)))


class JournalMachine(RuleBasedStateMachine):
    """Every operation of a run on a few files, two sources and two destinations."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.Runner()
        memory = Path("/dev/shm")
        self.folder = Path(tempfile.mkdtemp(dir=memory if memory.is_dir() else None))
        self.now, self.made = NOW, 0
        self.disk = Disk(self.folder / "0")
        self.model = Model()
        self.calls: list[tuple[Group, list[tuple[int, bytes]]]] = []  # without an answer, in this run
        self.asked: set[tuple[int, bytes]] = set()  # in this run
        self.journal: Journal

    @initialize(destination=st.sampled_from(DESTINATIONS))
    def first_run(self, destination: Destination) -> None:
        self.disk.folder.mkdir()
        self.disk.instants.append(Instant(0, Model()))
        self._open(destination, [self.model])

    def _open(self, destination: Destination, may_be: Sequence[Model]) -> None:
        """Start a run, and find the model that the journal matches."""
        self.destination, self.calls, self.asked = destination, [], set()
        self.journal = self.loop.run(Journal.open(str(self.disk.journal)))
        self.disk.file = self.disk.file_as_it_is()
        end = self.disk.end()
        begin = self.journal.begin_run(destination, SOURCES, now=self.now, kept_until=lambda _: None)
        self.sources = self.loop.run(begin)
        there = recorded(self.disk.journal)
        matching = []
        for model in may_be:
            begun = model.copy()
            begun.begin(self.now)
            if begun.recorded() == there:
                matching.append((model, begun))
        if not matching:
            begun = may_be[0].copy()
            begun.begin(self.now)
            assert there == begun.recorded()
        before, self.model = matching[0]
        self.disk.instants += [Instant(end, before), Instant(self.disk.end(), self.model.copy())]

    def key(self, file: tuple[int, bytes]) -> Key:
        return Key(self.destination.base_url, SOURCES[file[0]].root, file[1])

    def item(self, file: tuple[int, bytes], now: Identity | None = None) -> Item:
        """The file as a run has it, with the ticket and receipt from the journal."""
        key = self.key(file)
        row, ticket = self.model.rows.get(key), self.model.tickets.get(key)
        item = an_item(self.sources[file[0]], file[1], identity=now or (row.identity if row else identity()))
        item.place = Place(row.place) if row is not None and row.place is not None else None
        item.ticket = ticket
        if ticket is not None:
            item.receipt = receipt_of(item, MD5)
        return item

    def state(self, file: tuple[int, bytes]) -> FileState | None:
        row = self.model.rows.get(self.key(file))
        return row.state if row is not None else None

    def do(self, *steps: tuple[Call, Change]) -> None:
        """Make calls concurrently. They may share commits; the model applies them in the order of the calls."""

        async def calls() -> None:
            await asyncio.gather(*(call for call, _ in steps))

        self.loop.run(calls())
        under_way = []
        for _, change in steps:
            change(self.model)
            under_way.append(self.model.copy())
        assert seen_by_readers(self.disk.journal) == in_the_model(self.model)
        self.disk.instants.append(Instant(self.disk.end(), under_way.pop(), under_way))

    def all_in(self, *states: FileState) -> list[tuple[int, bytes]]:
        return [file for file in FILES if self.state(file) in states]

    def one_of(self, data: st.DataObject, *states: FileState) -> tuple[int, bytes]:
        """Draw a file in one of these states."""
        chosen: tuple[int, bytes] = data.draw(st.sampled_from(self.all_in(*states)))
        return chosen

    # Single steps: a call of the journal, and its effect on the model.

    def asking(self, chosen: list[tuple[int, bytes]], now: Identity, place: str | None = None) -> tuple[Call, Change]:
        items = [self.item(file, now) for file in chosen]
        for item in items:
            item.place = Place(place) if place is not None else None
        replaced = [(item, item.ticket) for item in items if item.ticket is not None]
        group = Group(items)
        self.calls.append((group, chosen))
        self.asked.update(chosen)

        def change(model: Model) -> None:
            for file in chosen:
                model.put(self.key(file), FileState.ASKED, now, place=place)

        return self.journal.asked(group, replaced, self.now), change

    def hashing(self, file: tuple[int, bytes], now: Identity) -> tuple[Call, Change]:
        item, key = self.item(file, now), self.key(file)
        item.digest = Digest(MD5)
        replaced = [(item, item.ticket)] if item.ticket is not None else []
        call = self.journal.pending([item], replaced, self.now)
        place = item.place.name if item.place is not None else None
        return call, lambda model: model.put(key, FileState.PENDING, now, md5=MD5, place=place)

    def answering(
        self, group: Group, chosen: list[tuple[int, bytes]], leases: Sequence[float | None]
    ) -> tuple[Call, Change]:
        """Each file gets a ticket with its lease, or is rejected where that is 0."""
        tickets: list[Ticket | None] = []
        for lease in leases:
            self.made += 1
            ticket = a_ticket(f"remote-{self.made}", None if lease is None else self.now + lease)
            tickets.append(None if lease == REJECTED else ticket)

        def change(model: Model) -> None:
            for file, ticket in zip(chosen, tickets, strict=True):
                model.ticketed(self.key(file), ticket)

        return self.journal.ticketed(group, tickets), change

    def storing(self, file: tuple[int, bytes]) -> tuple[Call, Change]:
        item, key = self.item(file), self.key(file)
        return self.journal.stored([item]), lambda model: model.stored(key, item.file.identity, MD5)

    def succeeding(self, file: tuple[int, bytes], state: FileState) -> tuple[Call, Change]:
        item, key = self.item(file), self.key(file)
        call = self.journal.settled([Outcome(item, state)], self.now)
        return call, lambda model: model.done(key, state, item.file.identity, MD5)

    def failing(self, file: tuple[int, bytes], state: FileState) -> tuple[Call, Change]:
        item, key = self.item(file), self.key(file)
        call = self.journal.settled([Outcome(item, state, FAILURE)], self.now)
        place = item.place.name if item.place is not None else None
        return call, lambda model: model.put(key, state, item.file.identity, error=FAILURE.message, place=place)

    def giving_back(self, file: tuple[int, bytes]) -> tuple[Call, Change]:
        item, key = self.item(file), self.key(file)
        call = self.journal.settled([Outcome(item, None)], self.now)
        place = item.place.name if item.place is not None else None
        return call, lambda model: model.given_back(key, item.file.identity, place)

    def next_step(self, file: tuple[int, bytes]) -> tuple[Call, Change]:
        """Take the usual next step of a file."""
        match self.state(file):
            case FileState.ASKED:
                return self.giving_back(file)
            case FileState.TICKETED:
                return self.storing(file)
            case FileState.STORED:
                return self.succeeding(file, FileState.UPLOADED)
            case _:
                return self.asking([file], identity())

    def unanswered(self) -> list[tuple[Group, list[tuple[int, bytes]]]]:
        """The calls whose files have all stayed as the call found them: no other can be answered."""
        latest = {file: group for group, chosen in self.calls for file in chosen}
        return [
            (group, chosen)
            for group, chosen in self.calls
            if all(self.state(file) is FileState.ASKED and latest[file] is group for file in chosen)
        ]

    @rule(chosen=some_files, now=versions, place=st.sampled_from([None, *PLACES]))
    def ask(self, chosen: list[tuple[int, bytes]], now: Identity, place: str | None) -> None:
        self.do(self.asking(chosen, now, place))

    @rule(file=files, now=versions)
    def hash_ahead(self, file: tuple[int, bytes], now: Identity) -> None:
        self.do(self.hashing(file, now))

    @precondition(lambda machine: bool(machine.unanswered()))
    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        group, chosen = data.draw(st.sampled_from(self.unanswered()))
        self.calls.remove((group, chosen))
        lease = st.sampled_from([500.0, 5.0, None, REJECTED])
        leases = data.draw(st.lists(lease, min_size=len(chosen), max_size=len(chosen)))
        self.do(self.answering(group, chosen, leases))

    @some_are(FileState.TICKETED)
    @rule(data=st.data())
    def store(self, data: st.DataObject) -> None:
        self.do(self.storing(self.one_of(data, FileState.TICKETED)))

    @some_are(FileState.TICKETED, FileState.STORED)
    @rule(data=st.data(), state=st.sampled_from(sorted(DONE)))
    def succeed(self, data: st.DataObject, state: FileState) -> None:
        self.do(self.succeeding(self.one_of(data, FileState.TICKETED, FileState.STORED), state))

    @rule(file=files, state=st.sampled_from(ENDS))
    def fail(self, file: tuple[int, bytes], state: FileState) -> None:
        self.do(self.failing(file, state))

    @rule(file=files, state=st.sampled_from([FileState.UNREADABLE, FileState.CHANGED]))
    def cannot_look_at(self, file: tuple[int, bytes], state: FileState) -> None:
        """The scanner settles an entry that it cannot examine, without a ticket. It meets each entry once in a run."""
        if file in self.asked:
            return
        item, key = self.item(file, UNKNOWN_IDENTITY), self.key(file)
        item.ticket = item.receipt = item.place = None
        call = self.journal.settled([Outcome(item, state, FAILURE)], self.now)
        self.do((call, lambda model: model.unseen(key, state, FAILURE.message)))

    @some_are(FileState.STORED)
    @rule(data=st.data())
    def closing_call_fails(self, data: st.DataObject) -> None:
        """Storage has the bytes: the row stays, and the next run makes the call."""
        outcome = Outcome(self.item(self.one_of(data, FileState.STORED)), FileState.FAILED, NOT_CLOSED)
        self.do((self.journal.settled([outcome], self.now), lambda _: None))

    @some_are(*DONE)
    @rule(data=st.data(), ctime=st.integers(2, 3))
    def find_unchanged(self, data: st.DataObject, ctime: int) -> None:
        file = self.one_of(data, *DONE)
        key = self.key(file)
        now = self.model.rows[key].identity._replace(ctime_ns=ctime)
        outcome = Outcome(self.item(file, now), FileState.UPLOADED, unchanged=True)
        self.do((self.journal.settled([outcome], self.now), lambda model: model.touched(key, now)))

    @rule(file=files)
    def give_back(self, file: tuple[int, bytes]) -> None:
        if self.state(file) not in DONE:
            self.do(self.giving_back(file))

    @rule(count=st.integers(1, 9))
    def call_without_an_answer(self, count: int) -> None:
        where = (self.destination.base_url, "it broke")
        call = self.journal.unknown_ids(count, "it broke", self.now)
        self.do((call, lambda model: model.unknown.update({where: count})))

    @rule(claims=st.lists(st.tuples(files, st.sampled_from(PLACES)), min_size=1, max_size=3, unique_by=lambda c: c[1]))
    def claim(self, claims: list[tuple[tuple[int, bytes], str]]) -> None:
        run, where = len(self.model.ends), self.destination.base_url
        held_before = [self.model.places.get((where, name)) for _, name in claims]
        if any(claim and claim[1] != run and claim[0] in map(self.key, self.asked) for claim in held_before):
            return  # a run claims a file's place again before it asks for the file
        items = [self.item(file) for file, _ in claims]
        wanted = [
            Claim(name, (item.file.source.id, item.file.path), item.file.full_path)
            for item, (_, name) in zip(items, claims, strict=True)
        ]
        held: list[Key | None] = []

        async def call() -> None:
            answered = await self.journal.claim(wanted)
            expected = self.model.copy()
            held.extend(expected.claim(name, self.key(file)) for file, name in claims)
            assert [h and (h.source, h.path) for h in answered] == [k and (k.source, k.path) for k in held]

        self.do((call(), lambda model: [model.claim(name, self.key(file)) for file, name in claims]))

    @rule(chosen=st.lists(files, min_size=2, max_size=4, unique=True))
    def many_at_once(self, chosen: list[tuple[int, bytes]]) -> None:
        """Concurrent calls share commits."""
        self.do(*[self.next_step(file) for file in chosen])

    @rule(
        finished=st.booleans(),
        walked=st.lists(st.integers(0, 1), unique=True),
        seconds=st.sampled_from([0.0, 50.0]),
        destination=st.sampled_from(DESTINATIONS),
    )
    def end(self, finished: bool, walked: list[int], seconds: float, destination: Destination) -> None:
        """End a run in the normal way, which moves the log into the file."""

        def change(model: Model) -> None:
            model.ends[-1] = 0
            for source in walked:
                model.walked(self.destination.base_url, SOURCES[source].root)
            if finished:
                model.drop_tickets()

        sources = [self.sources[source] for source in walked]
        call = self.journal.end_run(now=self.now, exit_code=0, summary={}, finished=finished, walked=sources)
        self.do((call, change))
        self.journal.close()
        self.now += seconds
        self.disk.instants = [Instant(0, self.model.copy())]
        self._open(destination, [self.model])

    @rule(
        back=st.integers(1, 4),
        thousandths=st.one_of(st.sampled_from([0, 1, 999, 1000]), st.integers(0, 1000)),
        at_a_frame=st.booleans(),
        seconds=st.sampled_from([0.0, 1.0, 50.0]),
        destination=st.sampled_from(DESTINATIONS),
    )
    def crash(self, back: int, thousandths: int, at_a_frame: bool, seconds: float, destination: Destination) -> None:
        """Cut the log, at a frame or within one, at one of the last instants or before it, and start a new run."""
        if self.disk.file_as_it_is() != self.disk.file:
            del self.disk.instants[:-1]  # folded in meanwhile: there is no way back
        self.cut_everywhere()
        way = self.disk.instants[-back - 1 :]
        end = way[0].end + (way[-1].end - way[0].end) * thousandths // 1000
        if at_a_frame and end > _LOG_HEADER:
            end -= (end - _LOG_HEADER) % _FRAME
        before = self.disk
        self.disk, may_be = before.cut(self.new_folder(), max(end, way[0].end))
        self.journal.close()
        shutil.rmtree(before.folder)
        self.now += seconds
        self._open(destination, may_be)

    def cut_everywhere(self) -> None:
        """Compare the disk with the model for cuts at and shortly after every frame of the last instants."""
        instants = self.disk.instants[1:][-4:]
        start, end = (instants[0].end, instants[-1].end) if instants else (0, 0)
        for frame in range(start, end, _FRAME):
            for cut in (frame, frame + 100):
                disk, may_be = self.disk.cut(self.new_folder(), cut)
                there = recorded(disk.journal)
                assert there in [model.recorded() for model in may_be], (there, may_be)
                shutil.rmtree(disk.folder)

    def new_folder(self) -> Path:
        self.made += 1
        return self.folder / str(self.made)

    def teardown(self) -> None:
        try:
            if hasattr(self, "journal"):
                self.crash(1, 1000, False, 0.0, DESTINATIONS[0])
        finally:
            with contextlib.suppress(AttributeError):
                self.journal.close()
            self.loop.close()
            shutil.rmtree(self.folder)


TestJournalCrashes = pytest.mark.unmeasured(JournalMachine.TestCase)
TestJournalCrashes.settings = settings(
    max_examples=20, stateful_step_count=30, derandomize=True, suppress_health_check=list(HealthCheck)
)


class LongerJournalMachine(JournalMachine):
    """The same machine, for other settings."""


TestManyJournalCrashes = pytest.mark.slow(LongerJournalMachine.TestCase)
TestManyJournalCrashes.settings = settings(
    max_examples=400, stateful_step_count=60, suppress_health_check=list(HealthCheck)
)
