"""The last stage and the only writer: journal first, then the figures and the results, then the budget back.

Outcomes gather while a commit is on its way to disk, and are written together by the next one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import anyio

from bulkup.errors import TooManyFailuresError
from bulkup.journal import Claim, Holder
from bulkup.model.items import Item, Outcome, Result
from bulkup.model.states import DONE, FileState
from bulkup.model.tickets import Ticket
from bulkup.pipeline.run import Run

_COUNTED = {
    FileState.UPLOADED: "uploaded",
    FileState.UNVERIFIED: "uploaded",
    FileState.FAILED: "failed",
    FileState.REJECTED: "rejected",
    FileState.CHANGED: "changed",
    FileState.UNREADABLE: "unreadable",
}


class Recorder:
    """Takes outcomes from every stage, without ever making one wait."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._outcomes: list[Outcome] = []
        self._waiting: list[asyncio.Future[None]] = []
        self._wake = anyio.Event()

    @property
    def depth(self) -> int:
        """Outcomes that wait for a commit."""
        return len(self._outcomes)

    def settle(self, outcome: Outcome) -> None:
        """Take the terminal outcome of an item."""
        self._outcomes.append(outcome)
        self._wake.set()

    async def record(self, outcome: Outcome) -> None:
        """Take an outcome and return once it is on disk."""
        self.settle(outcome)
        # A bare future: every file waits here once, and an event costs three times as much.
        on_disk = asyncio.get_running_loop().create_future()
        self._waiting.append(on_disk)
        await on_disk

    def give_back(self, item: Item, remote: Mapping[str, Any] | None = None) -> None:
        """Take an item that this run will not finish; the next one goes on with it.

        `remote` is what the service said last of one whose closing call has not come to its end.
        """
        self.settle(Outcome(item, None, remote=remote))

    def give_back_all(self, items: Iterable[Item]) -> None:
        """Take items that this run will not finish."""
        for item in items:
            self.give_back(item)

    async def pending(self, items: Sequence[Item]) -> None:
        """Record digests that were made ahead. A ticket for what the file was before is no longer good."""
        if not items:
            return
        replaced = [(item, item.ticket) for item in items if item.ticket is not None]
        await self._run.journal.pending(items, replaced, self._run.clock.now())
        for item in items:
            item.ticket = None

    async def asked(self, items: Sequence[Item], replaced: Sequence[tuple[Item, Ticket]]) -> None:
        """Record the intent of a presign call. To be awaited before the call goes out."""
        await self._run.journal.asked(items, replaced, self._run.clock.now())

    async def ticketed(self, tickets: Sequence[tuple[Item, Ticket]]) -> None:
        """Record tickets. To be awaited before any byte goes out."""
        await self._run.journal.ticketed(tickets)

    async def stored(self, items: Sequence[Item]) -> None:
        """Record storage's receipts. To be awaited before the confirm call goes out."""
        await self._run.journal.stored(items)

    async def claim(self, claims: Sequence[Claim]) -> list[Holder | None]:
        """Claim places at the service; returns for each the other file that holds it."""
        return await self._run.journal.claim(claims)

    async def given_up(self, outcome: Outcome) -> None:
        """Record the terminal state of an item whose service is still to be told; to be settled once it was."""
        await self._run.journal.settled([outcome], self._run.clock.now())

    async def unknown_ids(self, count: int, reason: str) -> None:
        """Record that a call may have created ids that nobody saw."""
        await self._run.journal.unknown_ids(count, reason, self._run.clock.now())

    async def work(self) -> None:
        """Record until cancelled. Raises `JournalError`."""
        while True:
            await self._wake.wait()
            await self.flush()

    async def flush(self) -> None:
        """Record what has gathered."""
        self._wake = anyio.Event()
        outcomes, self._outcomes = self._outcomes, []
        waiting, self._waiting = self._waiting, []
        if not outcomes:
            return
        with anyio.CancelScope(shield=True):  # what the journal takes is counted, whatever ends the run meanwhile
            await self._run.journal.settled(outcomes, self._run.clock.now())
        for on_disk in waiting:
            if not on_disk.done():  # whoever waited was cancelled
                on_disk.set_result(None)
        for outcome in outcomes:
            self._count(outcome)
        self._check_max_failures()
        results = [result_of(outcome) for outcome in outcomes if outcome.state is not None]
        if results:
            await self._run.emit(results)
        # Last, for the run ends with the last unit given back, and takes with it what has not been handed out.
        self._run.budget.give(len(outcomes))

    def _check_max_failures(self) -> None:
        """End the run where as many files failed as it is to bear."""
        most, failed = self._run.options.max_failures, self._run.counters.failed
        if most is not None and failed >= most and not self._run.stop.requested:
            number = "1 file" if failed == 1 else f"{failed:,} files"
            self._run.stop.fail(
                TooManyFailuresError(
                    f"stopped after {number} failed for good (max_failures is {most:,})",
                    hint="put right why they fail; the same command goes on, and tries them again",
                )
            )

    def _count(self, outcome: Outcome) -> None:
        counters, state = self._run.counters, outcome.state
        if state is None:
            return
        size = outcome.item.file.identity.size
        counters.bytes_settled += size
        if outcome.unchanged:
            counters.skipped += 1
            counters.expired += outcome.item.expired
            return
        name = _COUNTED[state]
        setattr(counters, name, getattr(counters, name) + 1)
        counters.unverified += state is FileState.UNVERIFIED
        counters.bytes_uploaded += size if state in DONE else 0


def result_of(outcome: Outcome) -> Result:
    """Return what the user gets to see of an outcome."""
    item, state = outcome.item, outcome.state
    assert state is not None
    done = state in DONE
    digest = item.receipt.digest if item.receipt is not None else item.digest
    return Result(
        source=item.file.source.shown,
        path=item.file.path,
        status=state,
        size=item.file.identity.size,
        md5=digest.hex if digest is not None else None,
        remote_id=item.ticket.remote_id if done and item.ticket is not None else None,
        attempts=item.history.attempts,
        error=outcome.problem.message if outcome.problem is not None else None,
        unchanged=outcome.unchanged,
    )
