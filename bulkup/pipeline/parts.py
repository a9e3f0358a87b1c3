"""Files that are sent in parts, each with a ticket of its own: many workers send the parts of one file.

    a file with a ticket --> its parts, a few at a time --> ready, workers --> all stored: the closer
                                        ^                        |
                                        '------ renew -----------+--> one given up: the file is given up

A part is an item. Batcher, ready queue and workers treat it as any other file; the routes lead its results here. The
row of a part is on disk before its worker takes the next one. So a run that is killed sends again only the parts that
were on their way.

Where the ticket of a part needs a checksum, the part is hashed before its ticket is requested.

At most two parts for each worker are on their way. `part_queue` has their order and the end of each upload, and
`part_calls` requests their tickets.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

import anyio

from bulkup.model.files import Algorithm, Digest
from bulkup.model.items import Item, Outcome, PartUpload, Stored, Ticketed
from bulkup.model.problems import Problem, ProblemKind
from bulkup.model.states import FileState
from bulkup.model.tickets import Receipt, SentPart, Ticket
from bulkup.pipeline.api_calls import ApiCalls
from bulkup.pipeline.files.digests import digest_of_part
from bulkup.pipeline.files.large import FilePart
from bulkup.pipeline.part_calls import PartsComplete, PartTickets
from bulkup.pipeline.part_queue import PartQueue
from bulkup.pipeline.policy.fatal import fatal
from bulkup.pipeline.policy.retry import GiveUp, after_change
from bulkup.pipeline.routes import Routes
from bulkup.pipeline.run import Run

_PER_WORKER = 2
_RESTARTS = 2
_CHANGED = Problem(ProblemKind.CHANGED, "it changed before all of its parts were sent")
_GONE = Problem(ProblemKind.FAILED, "storage lost the parts of several uploads of it")


class Parts:
    """Takes files whose tickets have a plan for parts. Methods that are no coroutines never block."""

    def __init__(self, run: Run, routes: Routes) -> None:
        self._run = run
        self._routes = routes
        self._queue = PartQueue()
        self._calls = ApiCalls(run, ever_answered=True)
        self._hashers = anyio.CapacityLimiter(run.options.hashers)
        self._whole = Routes()

    def take_over(self) -> None:
        """Lead files with a plan, and the results of parts, from the other routes to this stage."""
        routes, whole = self._routes, self._whole
        for name in ("send", "resume", "renew", "settle", "give_up", "recheck", "unused_tickets"):
            setattr(whole, name, getattr(routes, name))
        routes.send = self._send
        routes.resume = self._resume
        routes.renew = self._renew
        routes.settle = self._settle
        routes.give_up = self._give_up
        routes.recheck = self._recheck
        routes.unused_tickets = lambda: whole.unused_tickets() + self._queue.not_begun
        routes.part_sent = self.sent

    async def work(self) -> None:
        """Request tickets until cancelled. Raises `JournalError`."""
        await self._calls.work()

    def wake(self) -> None:
        """Look again: a stop was requested."""
        self._calls.wake()
        for upload in self._queue.unfinished:
            self.leave(upload)

    async def sent(self, file: Ticketed, receipt: Receipt) -> None:
        """Take a part that storage has; return once its row is on disk."""
        part = file.item.part
        assert part is not None
        upload = part.upload
        upload.item.history.attempts = max(upload.item.history.attempts, file.item.history.attempts)
        if receipt.identity != upload.item.file.identity:
            self._changed(upload, _CHANGED)
        elif not upload.ended or upload.kept:
            one = SentPart(part.number, receipt.etag, receipt.digest, receipt.verified)
            await self._run.journal.part_sent(upload.item, upload.ticket, one)
            upload.sent[part.number] = one
            if not upload.ended:
                self._run.counters.bytes_moving += file.item.size
        if not upload.ended and upload.has_all:
            await self.complete(upload)
        self._returned(upload)

    async def complete(self, upload: PartUpload) -> None:
        """Record that storage has all parts, and have the upload closed. Raises `JournalError`."""
        item = upload.item
        parts = tuple(upload.sent[number] for number in sorted(upload.sent))
        verified = all(part.verified for part in parts)
        seconds = self._run.clock.monotonic() - upload.begun
        self._run.counters.sent.file(item.file, seconds, item.history.attempts)
        item.receipt = Receipt(None, item.file.identity, None, verified, self._run.clock.now(), parts)
        await self._run.journal.stored([item])
        stored = Stored(item, upload.ticket, item.receipt)
        self._end(upload, lambda: self._routes.close(stored))

    def fail(self, upload: PartUpload, outcome: Outcome) -> None:
        """Give up the file of an upload, for the reason for which one of its parts was given up."""
        whole = outcome._replace(item=upload.item)
        upload.item.history.attempts = max(upload.item.history.attempts, outcome.item.history.attempts)
        self._end(upload, lambda: self._whole.give_up(whole))

    def leave(self, upload: PartUpload) -> None:
        """Leave a file to the next run, with the parts that were sent or are on their way."""
        upload.kept = upload.kept or not upload.ended
        self._end(upload, lambda: self._whole.settle(Outcome(upload.item, None)))

    async def hashed(self, item: Item, algorithm: Algorithm) -> bool:
        """Hash a part for its ticket, and return whether that was possible. Otherwise its file is passed on."""
        part, opener = item.part, self._run.opener
        assert part is not None
        where = FilePart(part.start, part.end)
        found = await digest_of_part(item.file, where, algorithm, self._hashers, opener)
        if isinstance(found, Digest):
            item.digest = found
            return True
        if found.kind is ProblemKind.CHANGED:
            self._changed(part.upload, found)
        elif found.kind is ProblemKind.MACHINE:
            self._run.stop.fail(fatal(found))
            self.leave(part.upload)
        else:
            self.fail(part.upload, Outcome(item, FileState.UNREADABLE, found))
        self._returned(part.upload)
        return False

    def given_back(self, items: Sequence[Item]) -> None:
        """Leave parts that got no ticket to the next run."""
        for item in items:
            self._settle(Outcome(item, None))

    def _send(self, file: Ticketed) -> None:
        if file.ticket.parts is None or file.item.part is not None:
            self._whole.send(file)
        else:
            self._begin(file.item, file.ticket)

    def _resume(self, item: Item, ticket: Ticket) -> None:
        if ticket.parts is None:
            self._whole.resume(item, ticket)
        else:
            self._run.counters.reused_tickets += 1
            self._begin(item, ticket)

    def _renew(self, item: Item) -> None:
        part = item.part
        if part is None:
            self._whole.renew(item)
        elif part.upload.ended:
            self._returned(part.upload)
        elif item.history.gone:
            self._restart(part.upload)
            self._returned(part.upload)
        else:
            self._request(part.upload, [item])

    def _settle(self, outcome: Outcome) -> None:
        part = outcome.item.part
        if part is None:
            self._whole.settle(outcome)
            return
        if outcome.state is None:
            self.leave(part.upload)
        else:
            self.fail(part.upload, outcome)
        self._returned(part.upload)

    def _give_up(self, outcome: Outcome) -> None:
        if outcome.item.part is None:
            self._whole.give_up(outcome)
        else:
            self._settle(outcome)

    def _recheck(self, item: Item, problem: Problem, at: float) -> None:
        if item.part is None:
            self._whole.recheck(item, problem, at)
            return
        self._changed(item.part.upload, problem)
        self._returned(item.part.upload)

    def _begin(self, item: Item, ticket: Ticket) -> None:
        """Begin with the parts of a file that no earlier run has sent."""
        assert ticket.parts is not None
        sent = {part.number: part for part in item.parts}
        left = deque(number for number in range(1, ticket.parts.count + 1) if number not in sent)
        upload = PartUpload(item, ticket, left, sent, begun=self._run.clock.monotonic())
        self._run.counters.bytes_moving += upload.bytes_sent
        self._queue.add(upload)
        if self._run.stop.requested:
            self.leave(upload)
        elif left:
            self._fill()
        else:
            self._calls.push(PartsComplete(upload, self))

    def _fill(self) -> None:
        """Request tickets for parts, as many as there is room for."""
        if self._run.stop.requested:
            return
        room = max(2, _PER_WORKER * self._run.worker_limit.wanted) - self._queue.out
        for upload, numbers in self._queue.take(room):
            items = [Item(upload.item.file, part=upload.part(number)) for number in numbers]
            # A part that is hashed first does not wait for the hashing of others.
            for group in [[item] for item in items] if self._run.provider.capabilities.part_checksum else [items]:
                self._request(upload, group)

    def _request(self, upload: PartUpload, items: Sequence[Item]) -> None:
        self._calls.push(PartTickets(upload, items, self._run, self._whole.send, self))

    def _restart(self, upload: PartUpload) -> None:
        """Begin anew with a file whose upload storage does not know any more."""
        item = upload.item
        item.history.renewals += 1
        if item.history.renewals > _RESTARTS:
            self._end(upload, lambda: self._whole.give_up(Outcome(item, FileState.FAILED, _GONE)))
        else:
            self._end(upload, lambda: self._whole.renew(item))

    def _changed(self, upload: PartUpload, problem: Problem) -> None:
        """End an upload whose file changed, as the policy for such files says."""
        if upload.ended:
            return
        item, now = upload.item, self._run.clock.monotonic()
        item.history.note(problem, now)
        decision = after_change(item.history, self._run.options.retry, now)
        if isinstance(decision, GiveUp):
            self._end(upload, lambda: self._whole.give_up(Outcome(item, decision.state, problem)))
        else:
            self._end(upload, lambda: self._whole.recheck(item, problem, decision.at))

    def _end(self, upload: PartUpload, how: Callable[[], None]) -> None:
        """End an upload once none of its parts is on its way; the first reason counts."""
        if not upload.ended:
            self._run.counters.bytes_moving -= upload.bytes_sent
            self._queue.end(upload, how)

    def _returned(self, upload: PartUpload) -> None:
        """Note that a part is no longer on its way."""
        self._queue.returned(upload)
        if self._run.stop.requested and not upload.ended and not upload.out:
            self.leave(upload)
        self._fill()
