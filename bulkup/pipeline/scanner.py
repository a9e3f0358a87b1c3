"""The first stage: finds files, asks the journal about them, and lets those go that have something to be done.

The walk and the journal's lookups run in a thread, a few hundred files at a time; the rest of the run has begun long
before the walk ends. Nothing enters the pipeline but against the budget, so memory does not grow with the tree.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

import anyio

from bulkup.journal import Known, Lookup
from bulkup.messages import NOTHING, Digest, FileState, FoundFile, Item, Kind, Outcome, Problem, Source
from bulkup.pipeline.plan import Plan, plan
from bulkup.pipeline.run import Run
from bulkup.pipeline.walk import Entry, Unreadable, Walk
from bulkup.providers import FileSpec

_CHUNK_FILES = 256
_CHUNK_SECONDS = 0.05
T = TypeVar("T")


@dataclass(slots=True)
class _Chunk:
    found: list[tuple[FoundFile, Known | None]] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)
    last: bool = False


@dataclass(frozen=True, slots=True)
class Exits:
    """Where the scanner sends what it lets go. None of them blocks."""

    ask: Callable[[Item], None]
    resume: Callable[[Item], None]
    hash: Callable[[Item], None]
    confirm: Callable[[Item], None]
    settle: Callable[[Outcome], None]


class Scanner:
    """Runs once over all sources."""

    def __init__(self, run: Run, exits: Exits) -> None:
        self._run = run
        self._exits = exits
        self._spec_first = run.provider.capabilities.checksum_first

    async def scan(self) -> None:
        """Walk every source to its end, or until the run is to stop. Raises `JournalError`, `UsageError`."""
        lookup = self._run.journal.lookup()
        limiter = anyio.CapacityLimiter(1)  # threads of its own: readers must not hold up the scan
        walk = Walk(tuple(self._run.sources), self._run.options.scan, self._run.counters.ignored, self._run.clock.now())
        with contextlib.closing(lookup):
            for source in self._run.sources:
                await self._scan_source(source, walk, lookup, limiter)
        self._run.counters.scan_done = not self._run.stop.requested

    async def _scan_source(self, source: Source, walk: Walk, lookup: Lookup, limiter: anyio.CapacityLimiter) -> None:
        entries = walk.entries(source)
        with contextlib.closing(entries):
            last = False
            while not last and not self._run.stop.requested:
                chunk = await anyio.to_thread.run_sync(_next_chunk, entries, lookup, limiter=limiter)
                await self._let_go(chunk)
                last = chunk.last
        # A tree without one entry, where an earlier run saw files, is more likely a mount that is gone.
        walked = last and source.only is None and self._run.options.scan.files_from is None
        if walked and walk.seen == 0 and lookup.knows_files_of(source.id):
            self._run.lost_sources.append(source)

    async def _let_go(self, chunk: _Chunk) -> None:
        counters = self._run.counters
        counters.found += len(chunk.found) + len(chunk.unreadable)
        counters.bytes_found += sum(file.identity.size for file, _ in chunk.found)
        for unreadable in chunk.unreadable:
            await self._send(self._exits.settle, _unreadable_outcome(unreadable))
        for file, known in chunk.found:
            if self._run.stop.requested:
                return
            await self._route(file, known)

    async def _route(self, file: FoundFile, known: Known | None) -> None:
        what = plan(known, file.identity, self._run.options.identity)
        if what is Plan.SETTLED:
            self._run.counters.skipped += 1
            self._run.counters.bytes_settled += file.identity.size
            return
        rejection = self._run.provider.reject(spec_of(file)) if what is Plan.UPLOAD else None
        if rejection is not None:
            await self._reject(file, rejection.reason)
            return
        await self._route_item(what, Item(file), known)

    async def _route_item(self, what: Plan, item: Item, known: Known | None) -> None:
        # A ticket that cannot be used any more goes along too: asking for a new one makes its id an orphan.
        item.ticket = known.ticket if known is not None else None
        if what is Plan.RECHECK and known is not None:
            item.known_digest, item.known_at = known.digest, known.at
            await self._send(self._exits.hash, item)
        elif what is Plan.CONFIRM and known is not None:
            item.receipt, item.digest = known.receipt, known.digest
            await self._send(self._exits.confirm, item)
        elif what is Plan.RESUME and known is not None and known.ticket is not None:
            item.digest = known.digest
            usable = self._run.provider.reusable(known.ticket)
            await self._send(self._exits.resume if usable else self._exits.ask, item)
        elif self._spec_first and what is not Plan.KNOWN_DIGEST:
            await self._send(self._exits.hash, item)
        else:
            item.digest = known.digest if known is not None and what is Plan.KNOWN_DIGEST else None
            await self._send(self._exits.ask, item)

    async def _reject(self, file: FoundFile, reason: str) -> None:
        if self._run.options.unsupported == "skip":
            self._run.counters.skipped += 1
            self._run.counters.unsupported += 1
            self._run.counters.bytes_settled += file.identity.size
            return
        await self._send(self._exits.settle, Outcome(Item(file), FileState.REJECTED, Problem(Kind.REJECTED, reason)))

    async def _send(self, exit_: Callable[[T], None], value: T) -> None:
        await self._run.budget.take(1)
        exit_(value)


def spec_of(file: FoundFile, digest: Digest | None = None) -> FileSpec:
    """Return what a provider is told of a file. Bytes that are not UTF-8 become surrogates, as everywhere in Python."""
    return FileSpec(file.name, os.fsdecode(file.path), file.extension, file.identity.size, digest)


def _next_chunk(entries: Iterator[Entry | None], lookup: Lookup) -> _Chunk:
    """Take the next few hundred entries, or what comes in a twentieth of a second; runs in a thread."""
    chunk, files = _Chunk(last=True), list[FoundFile]()
    deadline = time.monotonic() + _CHUNK_SECONDS
    for entry in entries:
        if isinstance(entry, FoundFile):
            files.append(entry)
        elif entry is not None:
            chunk.unreadable.append(entry)
        if len(files) >= _CHUNK_FILES or time.monotonic() >= deadline:
            chunk.last = False
            break
    chunk.found.extend(zip(files, lookup.find(files), strict=True))
    return chunk


def _unreadable_outcome(entry: Unreadable) -> Outcome:
    item = Item(FoundFile(entry.source, entry.path, NOTHING))
    return Outcome(item, FileState.UNREADABLE, Problem(Kind.UNREADABLE, entry.reason))
