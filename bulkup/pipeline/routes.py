"""Where a stage passes a file on. Every stage gets the same routes; `flow` fills them before any stage runs.

A stage knows no other stage, only the next need of a file. No route blocks: the run's budget bounds all queues. The
exceptions are `record` and `part_sent`, which return when a row is on disk.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import field

from bulkup.helpers.quick_dataclass import dataclass
from bulkup.model.files import FoundFile
from bulkup.model.items import Item, Outcome, Stored, Ticketed
from bulkup.model.problems import Problem
from bulkup.model.tickets import Receipt, Ticket
from bulkup.pipeline.policy.host_gate import HostGate


@dataclass(slots=True)
class Routes:
    """The entrances of the stages, named after the need of a file. Times are monotonic seconds."""

    # hasher
    hash: Callable[[Item], None] = field(init=False)
    # batcher: files that lack a ticket
    ask: Callable[[Item], None] = field(init=False)
    renew: Callable[[Item], None] = field(init=False)  # before the others: it has waited already
    # ready: files that lack a worker
    send: Callable[[Ticketed], None] = field(init=False)
    resume: Callable[[Item, Ticket], None] = field(init=False)  # with a ticket of an earlier run
    retry: Callable[[Ticketed, float], None] = field(init=False)  # not before a time
    take: Callable[[], Awaitable[tuple[Ticketed, HostGate]]] = field(init=False)  # the next file, for a worker
    take_now: Callable[[], tuple[Ticketed, HostGate] | None] = field(init=False)  # for the dispatcher
    dispatch_by: Callable[[Callable[[], None]], None] = field(init=False)  # it is called when a file arrives
    # closer: files that lack an end
    close: Callable[[Stored], None] = field(init=False)
    give_up: Callable[[Outcome], None] = field(init=False)  # a file with a ticket that will not be used
    # rechecker: a file that changed, not before a time
    recheck: Callable[[Item, Problem, float], None] = field(init=False)
    # recorder
    settle: Callable[[Outcome], None] = field(init=False)
    record: Callable[..., Awaitable[None]] = field(init=False)  # outcomes
    count_failure: Callable[[], None] = field(init=False)  # of a file that is settled later
    # disposal: an uploaded file that is to leave its source; None where uploaded files stay
    dispose: Callable[[FoundFile], None] | None = None
    # parts: a part that storage has; returns when its row is on disk
    part_sent: Callable[[Ticketed, Receipt], Awaitable[None]] = field(init=False)
    # for the batcher, which forms groups by the state of other stages
    ticket_used: Callable[[], None] = field(init=False)
    hashing_ended: Callable[[], None] = field(init=False)
    smaller_waits: Callable[[int], bool] = field(init=False)  # whether a file below a size waits for a worker
    unused_tickets: Callable[[], int] = field(init=False)
    files_to_hash: Callable[[], int] = field(init=False)

    def give_back(self, item: Item) -> None:
        """Leave a file to the next run, because this one ends first."""
        self.settle(Outcome(item, None))
