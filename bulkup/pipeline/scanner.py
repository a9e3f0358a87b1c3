"""The first stage: finds files, asks the journal about them, and passes on those that need something.

The walk and the journal's lookups run in a thread, a few hundred files at a time, so later stages start long before the
walk ends. A file enters the pipeline only against the budget, so memory does not grow with the tree.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, TypeVar

import anyio

from bulkup.errors import ListError
from bulkup.helpers.event_logger import EventLogger
from bulkup.helpers.quick_dataclass import dataclass
from bulkup.helpers.utf8_mode import path_text
from bulkup.journal import KnownFile, Lookup
from bulkup.model.files import UNKNOWN_IDENTITY, FoundFile, Source, Stat
from bulkup.model.items import Item, Outcome, Stored
from bulkup.model.log_events import LogEvent
from bulkup.model.problems import Problem, ProblemKind
from bulkup.model.states import FileState
from bulkup.pipeline.routes import Routes
from bulkup.pipeline.run import Run
from bulkup.pipeline.scan.decision import Action, ChangePolicy, FileDecision
from bulkup.pipeline.scan.triage import Triage, triage
from bulkup.pipeline.scan.walk import Unexamined, Walk, WalkBlock

if TYPE_CHECKING:
    from bulkup.pipeline.scan.file_order import FileOrder

# Files that the journal is asked about at once, and files that are passed on at once.
_BLOCK_FILES = 256
_CHUNK_FILES = 256
_CHUNK_SECONDS = 0.05
T = TypeVar("T")
_log = EventLogger("bulkup.scanner")


@dataclass(slots=True)
class _Chunk:
    """A part of the walk."""

    triage: Triage = field(default_factory=Triage)
    unexamined: list[Unexamined] = field(default_factory=list)
    last: bool = False


class Scanner:
    """Runs once over all sources."""

    def __init__(self, run: Run, routes: Routes) -> None:
        self._run = run
        self._routes = routes
        self._order: FileOrder | None = None
        if run.options.scan.order is not None:
            from bulkup.pipeline.scan.file_order import FileOrder  # noqa: PLC0415  # most runs have no order

            self._order = FileOrder(run.options.scan.order, run.tunables.order_window)

    async def scan(self) -> None:
        """Walk every source to its end, or until no more files are taken. Raises `JournalError`, `UsageError`."""
        lookup = self._run.journal.lookup()
        limiter = anyio.CapacityLimiter(1)  # a thread of its own: readers must not delay the scan
        run, ignored, now = self._run, self._run.counters.ignored, self._run.clock.now()
        sources, scan = tuple(run.sources), run.options.scan
        walk = Walk(sources, scan, ignored, now, run.opener, run.own_files, run.unfinished, run.too_new)
        with contextlib.closing(lookup):
            try:
                for source in self._run.sources:
                    if not await self._scan_source(source, walk, lookup, limiter):
                        return
            except ListError as error:
                # Files in flight are finished. The journal knows the others, and the next run has them in its list.
                self._run.stop.fail(error)
                return
        await self._pass_on_the_rest()
        self._run.counters.scan_done = True
        if walk.first_own is not None:
            _log.warning(LogEvent.OWN_FILES_SKIPPED, entries=ignored.own, first=path_text(walk.first_own))
        if walk.first_gone is not None:
            _log.warning(LogEvent.FILES_GONE, entries=walk.gone, first=path_text(walk.first_gone))

    async def _scan_source(self, source: Source, walk: Walk, lookup: Lookup, limiter: anyio.CapacityLimiter) -> bool:
        """Walk a source, and return whether to its end."""
        blocks = walk.blocks(source)
        with contextlib.closing(blocks):
            last = False
            while not last and not self._run.takes_no_more:
                chunk = await anyio.to_thread.run_sync(self._next_chunk, source, blocks, lookup, limiter=limiter)
                await self._pass_on(chunk)
                last = chunk.last
        # A tree without one entry, where an earlier run saw files, is more likely a lost mount.
        walked = last and source.only is None and self._run.options.scan.files_from is None
        if walked:
            lost = walk.seen == 0 and self._run.unfinished is None and lookup.knows_files_of(source)
            (self._run.lost_sources if lost else self._run.walked_sources).append(source)
        return last

    def _next_chunk(self, source: Source, blocks: Iterator[WalkBlock], lookup: Lookup) -> _Chunk:
        """Walk until there is enough to pass on, or a twentieth of a second has passed; runs in a thread."""
        chunk, files, deadline = _Chunk(), dict[bytes, Stat](), time.monotonic() + _CHUNK_SECONDS
        for block in blocks:
            files.update(block.files)
            chunk.unexamined += block.unexamined
            late = time.monotonic() >= deadline
            if late or len(files) >= _BLOCK_FILES:
                self._triage(source, files, lookup, chunk)
                files = {}
            if late or len(chunk.triage.decisions) >= _CHUNK_FILES:
                return chunk
        self._triage(source, files, lookup, chunk)
        chunk.last = True
        return chunk

    def _triage(self, source: Source, files: Mapping[bytes, Stat], lookup: Lookup, chunk: _Chunk) -> None:
        options = self._run.options
        # The service deletes uploads by its own clock, which is known from the first answer on.
        now = self._run.clock.now() + (self._run.clock_skew() or 0.0)
        policy = ChangePolicy(
            now, options.identity, options.reupload_expired, options.settings_digest, options.disposal is not None
        )
        triage(source, files, lookup, self._run.provider, policy, chunk.triage)

    async def _pass_on(self, chunk: _Chunk) -> None:
        self._count(chunk)
        for entry in chunk.unexamined:
            await self._enter(self._routes.settle, self._outcome_of(entry))
        await self._claim_places(chunk.triage.decisions)
        for decision in chunk.triage.decisions:
            if self._run.takes_no_more:
                return
            first = decision if self._order is None else self._order.add(decision)
            if first is not None:
                await self._carry_out(first)

    async def _pass_on_the_rest(self) -> None:
        """Pass on the files that wait for their place in the order, until no more are taken."""
        for decision in () if self._order is None else self._order.drain():
            if self._run.takes_no_more:
                return
            await self._carry_out(decision)

    def _count(self, chunk: _Chunk) -> None:
        counters, result = self._run.counters, chunk.triage
        counters.found += result.found + len(chunk.unexamined)
        counters.bytes_found += result.bytes_found
        counters.skipped += result.settled
        counters.bytes_settled += result.bytes_settled
        counters.bytes_skipped += result.bytes_settled
        counters.expired += result.expired

    def _outcome_of(self, entry: Unexamined) -> Outcome:
        """Return the outcome of an entry that could not be examined. One that vanished is not looked at again."""
        item, state = Item(FoundFile(entry.source, entry.path, UNKNOWN_IDENTITY)), FileState.UNREADABLE
        if entry.problem.kind is ProblemKind.CHANGED:
            fails = self._run.options.retry.on_change == "fail"
            state = FileState.FAILED if fails else FileState.CHANGED
        return Outcome(item, state, entry.problem)

    async def _claim_places(self, decisions: Sequence[FileDecision]) -> None:
        """Claim the places and names that only one file can have; the second file is rejected before any call."""
        placed = [decision for decision in decisions if decision.place is not None or decision.name is not None]
        claiming = [(decision, claim) for decision in placed for claim in decision.claims]
        holders = await self._run.journal.claim([claim for _, claim in claiming])
        for (decision, claim), holder in zip(claiming, holders, strict=True):
            if holder is not None:
                decision.refuse(claim, holder, self._run.provider)

    async def _carry_out(self, decision: FileDecision) -> None:
        file, known = decision.file, decision.known
        # A ticket of an earlier run that cannot be used goes along: the request for a new one makes its id an orphan.
        ticket = known.ticket if known is not None else None
        if decision.action is Action.SETTLED:
            self._run.counters.skipped += 1
            self._run.counters.expired += decision.expired
            self._run.counters.bytes_skipped += file.identity.size
            self._run.counters.bytes_settled += file.identity.size
            if self._routes.dispose is not None and decision.removable:
                await self._enter(self._routes.dispose, file)
        elif decision.passed_over(self._run.options.unsupported):
            self._run.counters.skipped += 1
            self._run.counters.unsupported += 1
            self._run.counters.bytes_settled += file.identity.size
        elif (rejection := decision.rejection or decision.place_taken) is not None:
            problem = Problem(ProblemKind.REJECTED, rejection.reason)
            outcome = Outcome(Item(file, ticket), FileState.REJECTED, problem, unsupported=rejection.unsupported)
            # Its row is kept unchanged. It was counted as a failure of the run that asked.
            outcome = outcome._replace(by_service=True, counted=True) if rejection.kept else outcome
            await self._enter(self._routes.settle, outcome)
        else:
            item = Item(file, ticket, place=decision.place)
            if known is None:
                item.accepted = file
                await self._enter(self._routes.hash if decision.hashed_first else self._routes.ask, item)
            else:
                await self._carry_on(decision, known, item)

    async def _carry_on(self, decision: FileDecision, known: KnownFile, item: Item) -> None:
        """Continue with a file that an earlier run left in some state."""
        routes, action = self._routes, decision.action
        if action is Action.RECHECK:
            item.known_digest, item.known_at, item.expired = known.digest, known.at, decision.expired
            await self._enter(routes.hash, item)
        elif action is Action.CLOSE and known.ticket is not None and known.receipt is not None:
            item.receipt, item.digest = known.receipt, known.digest
            await self._close(Stored(item, known.ticket, known.receipt))
        elif action is Action.RESUME and known.ticket is not None:
            item.digest, item.parts, path = known.digest, known.parts, decision.file.full_path
            reusable = self._run.provider.reusable(known.ticket)
            if reusable and self._run.issued.clash(known.ticket, path, known.digest) is None:
                await self._enter_budget()
                routes.resume(item, known.ticket)
            else:
                await self._enter(routes.ask, item)
        elif action is Action.KNOWN_DIGEST:
            item.digest = known.digest
            await self._enter(routes.ask, item)
        else:
            await self._enter(routes.hash if decision.hashed_first else routes.ask, item)

    async def _close(self, stored: Stored) -> None:
        """Have an upload closed, or settle it where closing calls are no longer wanted."""
        provider, ticket = self._run.provider, stored.ticket
        if ticket.parts is not None or (provider.capabilities.confirms and provider.closes(ticket)):
            await self._enter(self._routes.close, stored)
        else:
            state = FileState.UPLOADED if stored.receipt.verified else FileState.UNVERIFIED
            await self._enter(self._routes.settle, Outcome(stored.item, state))

    async def _enter(self, route: Callable[[T], None], value: T) -> None:
        """Pass one file on, against the budget."""
        if not self._run.budget.try_take(1):
            await self._run.budget.take(1)
        route(value)

    async def _enter_budget(self) -> None:
        if not self._run.budget.try_take(1):
            await self._run.budget.take(1)
