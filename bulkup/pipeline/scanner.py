"""The first stage: finds files, asks the journal about them, and lets those go that have something to be done.

The walk and the journal's lookups run in a thread, a few hundred files at a time; the rest of the run has begun long
before the walk ends. Nothing enters the pipeline but against the budget, so memory does not grow with the tree.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import anyio

from bulkup.journal import Claim, Holder, Lookup
from bulkup.model.files import UNKNOWN_IDENTITY, FoundFile, Source, Stat
from bulkup.model.items import Item, Outcome
from bulkup.model.problems import Problem, ProblemKind
from bulkup.model.states import FileState
from bulkup.pipeline.run import Run
from bulkup.pipeline.scan.decision import Action, ChangePolicy, FileDecision, place_taken
from bulkup.pipeline.scan.triage import Triage, triage
from bulkup.pipeline.scan.walk import Unreadable, Walk, WalkBlock

# Files that the journal is asked about at once, and those that are handed over at once to be let go.
_BLOCK_FILES = 256
_CHUNK_FILES = 256
_CHUNK_SECONDS = 0.05
T = TypeVar("T")


@dataclass(slots=True)
class _Chunk:
    """A part of the walk."""

    sifted: Triage = field(default_factory=Triage)
    unreadable: list[Unreadable] = field(default_factory=list)
    last: bool = False


@dataclass(frozen=True, slots=True)
class Exits:
    """Where the scanner sends what it lets go; none of those blocks. `claim` asks the journal for places."""

    ask: Callable[[Item], None]
    resume: Callable[[Item], None]
    hash: Callable[[Item], None]
    confirm: Callable[[Item], None]
    settle: Callable[[Outcome], None]
    claim: Callable[[Sequence[Claim]], Awaitable[Sequence[Holder | None]]]


class Scanner:
    """Runs once over all sources."""

    def __init__(self, run: Run, exits: Exits) -> None:
        self._run = run
        self._exits = exits

    async def scan(self) -> None:
        """Walk every source to its end, or until the run is to stop. Raises `JournalError`, `UsageError`."""
        lookup = self._run.journal.lookup()
        limiter = anyio.CapacityLimiter(1)  # threads of its own: readers must not hold up the scan
        walk = Walk(tuple(self._run.sources), self._run.options.scan, self._run.counters.ignored, self._run.clock.now())
        with contextlib.closing(lookup):
            for source in self._run.sources:
                if not await self._scan_source(source, walk, lookup, limiter):
                    return
        self._run.counters.scan_done = True

    async def _scan_source(self, source: Source, walk: Walk, lookup: Lookup, limiter: anyio.CapacityLimiter) -> bool:
        """Walk a source; say whether to its end."""
        parts = walk.blocks(source)
        with contextlib.closing(parts):
            last = False
            while not last and not self._run.stop.requested:
                chunk = await anyio.to_thread.run_sync(self._next_chunk, source, parts, lookup, limiter=limiter)
                await self._let_go(chunk)
                last = chunk.last
        # A tree without one entry, where an earlier run saw files, is more likely a mount that is gone.
        walked = last and source.only is None and self._run.options.scan.files_from is None
        if walked:
            lost = walk.seen == 0 and lookup.knows_files_of(source)
            (self._run.lost_sources if lost else self._run.walked_sources).append(source)
        return last

    def _next_chunk(self, source: Source, parts: Iterator[WalkBlock], lookup: Lookup) -> _Chunk:
        """Walk until there is enough to be done, or a twentieth of a second has passed; runs in a thread."""
        chunk, files, deadline = _Chunk(), dict[bytes, Stat](), time.monotonic() + _CHUNK_SECONDS
        for part in parts:
            files.update(part.files)
            chunk.unreadable += part.unreadable
            late = time.monotonic() >= deadline
            if late or len(files) >= _BLOCK_FILES:
                self._sift(source, files, lookup, chunk)
                files = {}
            if late or len(chunk.sifted.decisions) >= _CHUNK_FILES:
                return chunk
        self._sift(source, files, lookup, chunk)
        chunk.last = True
        return chunk

    def _sift(self, source: Source, files: Mapping[bytes, Stat], lookup: Lookup, chunk: _Chunk) -> None:
        options = self._run.options
        trust = ChangePolicy(self._run.clock.now(), options.identity, options.reupload_expired)
        triage(source, files, lookup, self._run.provider, trust, chunk.sifted)

    async def _let_go(self, chunk: _Chunk) -> None:
        self._count(chunk)
        for unreadable in chunk.unreadable:
            await self._send(self._exits.settle, _unreadable_outcome(unreadable))
        await self._claim(chunk.sifted.decisions)
        for wish in chunk.sifted.decisions:
            if self._run.stop.requested:
                return
            await self._route(wish)

    def _count(self, chunk: _Chunk) -> None:
        counters, sifted = self._run.counters, chunk.sifted
        counters.found += sifted.found + len(chunk.unreadable)
        counters.bytes_found += sifted.bytes_found
        counters.skipped += sifted.settled
        counters.bytes_settled += sifted.bytes_settled
        counters.expired += sifted.expired

    async def _claim(self, wishes: Sequence[FileDecision]) -> None:
        """Claim the places that one file alone can have; who comes second is rejected before anything is asked."""
        claiming = [(wish, claim) for wish in wishes if (claim := wish.claim) is not None]
        holders = await self._exits.claim([claim for _, claim in claiming])
        for (wish, _), holder in zip(claiming, holders, strict=True):
            if holder is not None and wish.place is not None:
                wish.place_taken = place_taken(wish.place, holder, wish.file.source, self._run.provider.name)

    async def _route(self, wish: FileDecision) -> None:
        if wish.action is Action.SETTLED:
            self._run.counters.skipped += 1
            self._run.counters.expired += wish.expired
            self._run.counters.bytes_settled += wish.file.identity.size
        elif wish.passed_over(self._run.options.unsupported):
            self._pass_over(wish.file)
        elif (rejection := wish.rejection or wish.place_taken) is not None:
            # With its ticket, if it has one: that id will not get its bytes any more.
            item = Item(wish.file, ticket=wish.known.ticket if wish.known is not None else None)
            problem = Problem(ProblemKind.REJECTED, rejection.reason)
            await self._send(self._exits.settle, Outcome(item, FileState.REJECTED, problem))
        else:
            await self._route_item(wish, Item(wish.file, place=wish.place))

    async def _route_item(self, wish: FileDecision, item: Item) -> None:
        what, known = wish.action, wish.known
        # A ticket that cannot be used any more goes along too: asking for a new one makes its id an orphan.
        item.ticket = known.ticket if known is not None else None
        if what is Action.RECHECK and known is not None:
            item.known_digest, item.known_at, item.expired = known.digest, known.at, wish.expired
            await self._send(self._exits.hash, item)
        elif what is Action.CONFIRM and known is not None:
            item.receipt, item.digest = known.receipt, known.digest
            await self._close(item)
        elif what is Action.RESUME and known is not None and known.ticket is not None:
            item.digest = known.digest
            usable = self._run.provider.reusable(known.ticket)
            await self._send(self._exits.resume if usable else self._exits.ask, item)
        elif what is not Action.KNOWN_DIGEST and wish.hashed_first:
            await self._send(self._exits.hash, item)
        else:
            item.digest = known.digest if known is not None and what is Action.KNOWN_DIGEST else None
            await self._send(self._exits.ask, item)

    async def _close(self, item: Item) -> None:
        """Have a stored file confirmed, or take it as uploaded where closing calls are no longer wanted."""
        if self._run.provider.capabilities.confirms:
            await self._send(self._exits.confirm, item)
        else:
            assert item.receipt is not None
            state = FileState.UPLOADED if item.receipt.verified else FileState.UNVERIFIED
            await self._send(self._exits.settle, Outcome(item, state))

    def _pass_over(self, file: FoundFile) -> None:
        self._run.counters.skipped += 1
        self._run.counters.unsupported += 1
        self._run.counters.bytes_settled += file.identity.size

    async def _send(self, exit_: Callable[[T], None], value: T) -> None:
        if not self._run.budget.try_take(1):
            await self._run.budget.take(1)
        exit_(value)


def _unreadable_outcome(entry: Unreadable) -> Outcome:
    item = Item(FoundFile(entry.source, entry.path, UNKNOWN_IDENTITY))
    return Outcome(item, FileState.UNREADABLE, Problem(ProblemKind.UNREADABLE, entry.reason))
