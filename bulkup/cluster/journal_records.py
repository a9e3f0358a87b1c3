"""Carries out the records of workers on the journal, and brings the coordinator's files up to date with them.

The coordinator alone writes the journal. The answer to a record is given when its rows are on disk. Each record names
files by number, and counts only if its epoch holds them (`assignments`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import anyio

from bulkup.cluster.assignments import Assigned, Assignments
from bulkup.cluster.wire_values import Plain, apply_changes, outcome_of, part_from, receipt_from, ticket_of
from bulkup.journal.journal import INTERRUPTED_CALL
from bulkup.model.items import Group, Item, Outcome
from bulkup.model.tickets import Ticket
from bulkup.pipeline.routes import Routes
from bulkup.pipeline.run import Run

_GROUPS = 1024  # calls under way of one worker; a call that failed leaves its group behind


class JournalRecords:
    """The records of one worker's epoch. Methods named `on_` carry one out, and return its answer."""

    def __init__(self, run: Run, routes: Routes, files: Assignments, epoch: int) -> None:
        self._run = run
        self._routes = routes
        self._files = files
        self._epoch = epoch
        self._groups: dict[int, tuple[Group, Sequence[Assigned]]] = {}
        self.settled_files = self.settled_bytes = 0
        self.returned_files = self.returned_bytes = 0

    async def carry_out(self, kind: str, values: Sequence[Any]) -> Any:
        """Carry a record out, and return its answer. Raises `StaleRecordError`, `JournalError`.

        One that has begun is carried out, also where its worker is given up meanwhile: the files must agree with the
        journal. Outcomes are the recorder's by then.
        """
        with anyio.CancelScope(shield=kind != "outcomes"):
            return await getattr(self, f"_on_{kind}")(*values)

    async def _on_pending(self, files: Sequence[Plain], replaced: Sequence[int]) -> None:
        items = [one.item for one in self._changed(files)]
        pairs = self._replaced(replaced)
        await self._run.journal.pending(items, pairs, self._run.clock.now())
        _forget(pairs)

    async def _on_asked(self, number: int, files: Sequence[Plain], replaced: Sequence[int]) -> None:
        assigned = self._changed(files)
        group, pairs = Group([one.item for one in assigned]), self._replaced(replaced)
        if len(self._groups) >= _GROUPS:
            del self._groups[next(iter(self._groups))]
        self._groups[number] = group, assigned
        for one in assigned:
            one.asked = True
        await self._run.journal.asked(group, pairs, self._run.clock.now())
        _forget(pairs)

    async def _on_ticketed(self, number: int, plain: Sequence[Plain | None]) -> str | None:
        group, assigned = self._groups.pop(number)
        for one in assigned:
            self._files.held_by(self._epoch, one.number)
        tickets = _tickets(plain)
        if (clash := self._clash(assigned, tickets)) is not None:
            return clash
        await self._run.journal.ticketed(group, tickets)
        _take(assigned, tickets)
        return None

    async def _on_issued(
        self, files: Sequence[Plain], replaced: Sequence[int], plain: Sequence[Plain | None]
    ) -> str | None:
        assigned, tickets = self._changed(files), _tickets(plain)
        if (clash := self._clash(assigned, tickets)) is not None:
            return clash
        group, pairs = Group([one.item for one in assigned]), self._replaced(replaced)
        await self._run.journal.issued(group, pairs, tickets, self._run.clock.now())
        _forget(pairs)
        _take(assigned, tickets)
        return None

    async def _on_stored(self, rows: Sequence[Plain]) -> None:
        stored = []
        for number, changes, receipt, attempts in rows:
            one = self._files.held_by(self._epoch, number)
            apply_changes(one.item, changes)
            one.item.receipt, one.item.history.attempts = receipt_from(receipt), attempts
            stored.append(one)
        await self._run.journal.stored([one.item for one in stored])
        for one in stored:
            one.stored = True

    async def _on_part_sent(self, number: int, plain: Plain) -> None:
        item, part = self._files.held_by(self._epoch, number).item, part_from(plain)
        assert item.ticket is not None
        await self._run.journal.part_sent(item, item.ticket, part)
        item.parts = (*item.parts, part)

    async def _on_deleted(self, ticket: Plain) -> None:
        await self._run.journal.deleted(ticket_of(ticket))

    async def _on_unknown_ids(self, count: int, reason: str) -> None:
        await self._run.journal.unknown_ids(count, reason, self._run.clock.now())

    async def _on_settled(self, outcomes: Sequence[Plain]) -> None:
        """Record terminal states of files whose way does not end yet."""
        settled = []
        for plain in outcomes:
            one = self._files.held_by(self._epoch, plain[0])
            outcome, changes = outcome_of(plain, one.item)
            apply_changes(one.item, changes)
            settled.append(outcome)
        await self._run.journal.settled(settled, self._run.clock.now())

    async def _on_outcomes(self, outcomes: Sequence[Plain]) -> None:
        settled, returned = list[Outcome](), list[Assigned]()
        for plain in outcomes:
            one = self._files.settle(self._epoch, plain[0])
            receipt, size = one.item.receipt, one.item.file.identity.size
            outcome, changes = outcome_of(plain, one.item)
            apply_changes(one.item, changes)
            if outcome.state is not None:
                self.settled_files += 1
                self.settled_bytes += size
            else:
                one.item.receipt = one.item.receipt or receipt
                self.returned_files += 1
                self.returned_bytes += size
            if outcome.state is None and not self._run.stop.requested:
                returned.append(one)  # this worker ends, and the run does not
            else:
                settled.append(outcome)
        self._files.take_back(returned, self._run.provider.reusable)
        if settled:
            await self._routes.record(*settled)

    async def unknown_ids_of(self, files: Sequence[Assigned]) -> None:
        """Count the ids that the calls of a lost worker may have created, for the files that it had asked for."""
        asked = [file for file in files if file.asked]
        for file in asked:
            file.asked = False
        if asked and self._run.provider.capabilities.creates_ids:
            await self._run.journal.unknown_ids(len(asked), INTERRUPTED_CALL, self._run.clock.now())

    def _changed(self, files: Sequence[Plain]) -> list[Assigned]:
        changed = []
        for number, changes in files:
            one = self._files.held_by(self._epoch, number)
            apply_changes(one.item, changes)
            changed.append(one)
        return changed

    def _replaced(self, numbers: Sequence[int]) -> list[tuple[Item, Ticket]]:
        items = [self._files.held_by(self._epoch, number).item for number in numbers]
        return [(item, item.ticket) for item in items if item.ticket is not None]

    def _clash(self, files: Sequence[Assigned], tickets: Sequence[Ticket | None]) -> str | None:
        """Return what a ticket shares with that of another file on any worker, None for nothing."""
        issued = self._run.issued
        for one, ticket in zip(files, tickets, strict=True):
            item = one.item
            clash = None if ticket is None else issued.clash(ticket, item.file.full_path, item.digest)
            if clash is not None:
                return clash
        return None


def _tickets(plain: Sequence[Plain | None]) -> list[Ticket | None]:
    return [None if one is None else ticket_of(one) for one in plain]


def _forget(replaced: Sequence[tuple[Item, Ticket]]) -> None:
    for item, _ in replaced:
        item.ticket = None
        item.parts = ()


def _take(files: Sequence[Assigned], tickets: Sequence[Ticket | None]) -> None:
    for one, ticket in zip(files, tickets, strict=True):
        one.asked = False
        if ticket is not None:
            one.item.ticket = ticket
