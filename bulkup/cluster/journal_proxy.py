"""The journal as the stages of a worker see it: each method returns when the coordinator has the rows on disk.

So the rules of a run on one machine hold here as well: an intent is on disk before its call, a ticket before the first
byte, a receipt before the closing call.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bulkup.cluster.held_files import HeldFiles
from bulkup.cluster.uplink import Uplink
from bulkup.cluster.wire_values import (
    Plain,
    outcome_to_plain,
    part_to_plain,
    receipt_to_plain,
    ticket_to_plain,
)
from bulkup.model.items import Group, Item, Outcome
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.model.tickets import SentPart, Ticket


class JournalProxy:
    """Implements the steps of a file of `Journal`. Times are those of the coordinator, so `now` is not sent."""

    def __init__(self, uplink: Uplink, files: HeldFiles) -> None:
        self._uplink = uplink
        self._files = files
        self._groups = 0

    async def pending(
        self, items: Sequence[Item], replaced: Sequence[tuple[Item, Ticket]] = (), now: float = 0.0
    ) -> None:
        """Record that no call about these items is in progress, and that the tickets in `replaced` are invalid."""
        del now
        await self._uplink.ask("pending", self._numbers(items), self._replaced(replaced))
        self._drop(replaced)

    async def asked(self, group: Group, replaced: Sequence[tuple[Item, Ticket]], now: float) -> None:
        """Record the intent to ask for the tickets of a group, and that the tickets in `replaced` are invalid."""
        del now
        self._groups += 1
        group.number = self._groups
        await self._uplink.ask("asked", group.number, self._numbers(group.items), self._replaced(replaced))
        self._drop(replaced)

    async def ticketed(self, group: Group, tickets: Sequence[Ticket | None]) -> None:
        """Record the answer to a call. Raises `ProblemError` where another worker got one of the ids or URLs."""
        plain = [None if ticket is None else ticket_to_plain(ticket) for ticket in tickets]
        self._take(group, tickets, await self._uplink.ask("ticketed", group.number, plain))

    async def issued(
        self, group: Group, replaced: Sequence[tuple[Item, Ticket]], tickets: Sequence[Ticket | None], now: float
    ) -> None:
        """Record the tickets of a group whose intent was not recorded. Raises `ProblemError` as `ticketed`."""
        del now
        plain = [None if ticket is None else ticket_to_plain(ticket) for ticket in tickets]
        answer = await self._uplink.ask("issued", self._numbers(group.items), self._replaced(replaced), plain)
        self._take(group, tickets, answer)

    async def stored(self, items: Iterable[Item]) -> None:
        """Record storage's receipts."""
        rows = [
            (number, changes, receipt_to_plain(self._files.devices.receipt_there(item.receipt)), item.history.attempts)
            for item in items
            for number, changes in self._numbers([item])
            if item.receipt is not None
        ]
        await self._uplink.ask("stored", rows)

    async def part_sent(self, item: Item, ticket: Ticket, part: SentPart) -> None:
        """Record that storage has a part of a file."""
        del ticket  # the one that the coordinator has recorded
        await self._uplink.ask("part_sent", self._files.number(item), part_to_plain(part))

    async def deleted(self, ticket: Ticket) -> None:
        """Record that the service has nothing any more of an upload that was given up in this run."""
        await self._uplink.ask("deleted", ticket_to_plain(ticket))

    async def unknown_ids(self, count: int, reason: str, now: float) -> None:
        """Record that up to `count` ids may exist that no answer named."""
        del now
        await self._uplink.ask("unknown_ids", count, reason)

    async def settled(self, outcomes: Sequence[Outcome], now: float) -> None:
        """Record terminal states of files whose way does not end yet."""
        del now
        await self._uplink.ask("settled", [self.outcome(outcome) for outcome in outcomes])

    def outcome(self, outcome: Outcome) -> Plain:
        """Return an outcome as plain values."""
        item = outcome.item
        number, changes = self._numbers([item])[0]
        unknown = item.ticket if outcome.already_there else None
        return outcome_to_plain(number, outcome, changes, unknown, self._files.devices)

    def _numbers(self, items: Iterable[Item]) -> list[tuple[int, Plain | None]]:
        return [(self._files.number(item), self._files.changes(item)) for item in items]

    def _replaced(self, replaced: Sequence[tuple[Item, Ticket]]) -> list[int]:
        return [self._files.number(item) for item, _ in replaced]

    def _drop(self, replaced: Sequence[tuple[Item, Ticket]]) -> None:
        for item, _ in replaced:
            self._files.ticketed(item, None)

    def _take(self, group: Group, tickets: Sequence[Ticket | None], clash: str | None) -> None:
        if clash is not None:
            text = f"the service returned {clash} that belongs to another file, on another worker"
            raise ProblemError(Problem(ProblemKind.TRANSIENT, text, maybe_created=True))
        for item, ticket in zip(group.items, tickets, strict=True):
            self._files.ticketed(item, ticket)
