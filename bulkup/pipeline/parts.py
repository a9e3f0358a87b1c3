"""Files that are sent in parts, each with a ticket of its own: many workers send the parts of one file.

    a file with a ticket --> its parts, a few at a time --> ready, workers --> all stored: the closer
                                        ^                        |
                                        '------ renew -----------+--> one given up: the file is given up

A part is an item. Batcher, ready queue and workers treat it as any other file; the routes lead its results here. The
row of a part is on disk before its worker takes the next one. So a run that is killed sends again only the parts that
were on their way.

At most two parts for each worker are on their way, those of the first file first. So few uploads are unfinished at the
same time. A file that is given up ends when none of its parts is on its way.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from bulkup.helpers.event_logger import EventLogger
from bulkup.model.history import CallHistory
from bulkup.model.items import Item, Outcome, Part, PartUpload, Stored, Ticketed
from bulkup.model.log_events import LogEvent
from bulkup.model.problems import Problem, ProblemKind
from bulkup.model.states import FileState
from bulkup.model.tickets import PartPlan, Receipt, SentPart, Ticket
from bulkup.pipeline.api_calls import ApiCalls, ServiceCall
from bulkup.pipeline.policy.retry import GiveUp, after_change
from bulkup.pipeline.presign.leases import renewal_time
from bulkup.pipeline.routes import Routes
from bulkup.pipeline.run import Run

_log = EventLogger("bulkup.parts")
_PER_WORKER = 2
_RESTARTS = 2
_CHANGED = Problem(ProblemKind.CHANGED, "it changed before all of its parts were sent")
_GONE = Problem(ProblemKind.FAILED, "storage lost the parts of several uploads of it")


class Parts:
    """Takes files whose tickets have a plan for parts. Its methods never block, but for `sent`."""

    def __init__(self, run: Run, routes: Routes) -> None:
        self._run = run
        self._routes = routes
        self._uploads: deque[PartUpload] = deque()  # with parts that no ticket was requested for
        self._ends: dict[PartUpload, Callable[[], None]] = {}
        self._out = 0
        self._calls = ApiCalls(run, ever_answered=True)
        self._whole = Routes()

    @property
    def waiting(self) -> int:
        """Files of which no part is on its way yet."""
        return sum(not upload.out for upload in self._uploads)

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
        routes.unused_tickets = lambda: whole.unused_tickets() + self.waiting
        routes.part_sent = self.sent

    async def work(self) -> None:
        """Request tickets until cancelled. Raises `JournalError`."""
        await self._calls.work()

    def wake(self) -> None:
        """Look again: a stop was requested."""
        self._calls.wake()
        for upload in list(self._uploads):
            self.leave(upload)

    async def sent(self, file: Ticketed, receipt: Receipt) -> None:
        """Take a part that storage has; return once its row is on disk."""
        part = file.item.part
        assert part is not None
        upload = part.upload
        upload.item.history.attempts = max(upload.item.history.attempts, file.item.history.attempts)
        if receipt.identity != upload.item.file.identity:
            self._changed(upload, _CHANGED, self._run.clock.monotonic())
        elif not upload.ended or upload.kept:
            one = SentPart(part.number, receipt.etag, receipt.digest, receipt.verified)
            await self._run.journal.part_sent(upload.item, upload.ticket, one)
            upload.sent[part.number] = one
            if not upload.ended:
                self._run.counters.bytes_moving += file.item.size
        if not upload.ended and len(upload.sent) == _plan(upload).count:
            await self._complete(upload)
        self._returned(upload)

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

    def _begin(self, item: Item, ticket: Ticket) -> None:
        assert ticket.parts is not None
        sent = {part.number: part for part in item.parts}
        left = deque(number for number in range(1, ticket.parts.count + 1) if number not in sent)
        upload = PartUpload(item, ticket, left, sent)
        self._run.counters.bytes_moving += _bytes_sent(upload)
        self._uploads.append(upload)
        if self._run.stop.requested:
            self.wake()
        elif left:
            self._fill()
        else:
            self._uploads.remove(upload)
            self._calls.push(_Completion(upload, self))

    def _fill(self) -> None:
        """Request tickets for parts, as many as there is room for."""
        room = max(2, _PER_WORKER * self._run.worker_limit.wanted) - self._out
        while self._uploads and room > 0 and not self._run.stop.requested:
            upload = self._uploads[0]
            numbers = [upload.left.popleft() for _ in range(min(room, len(upload.left)))]
            if not upload.left:
                self._uploads.popleft()
            upload.out += len(numbers)
            self._out += len(numbers)
            room -= len(numbers)
            items = [Item(upload.item.file, part=_part(upload, number)) for number in numbers]
            self._calls.push(_PartTickets(upload, items, self._run, self._whole, self))

    async def _complete(self, upload: PartUpload) -> None:
        """Record that storage has all parts, and have the upload closed."""
        upload.ended = True
        item = upload.item
        parts = tuple(upload.sent[number] for number in sorted(upload.sent))
        verified = all(part.verified for part in parts)
        item.receipt = Receipt(None, item.file.identity, None, verified, self._run.clock.now(), parts)
        await self._run.journal.stored([item])
        self._run.counters.bytes_moving -= _bytes_sent(upload)
        stored = Stored(item, upload.ticket, item.receipt)
        self._ends[upload] = lambda: self._routes.close(stored)

    async def complete(self, upload: PartUpload) -> None:
        """Have an upload closed whose parts an earlier run has sent."""
        await self._complete(upload)
        self._ends.pop(upload)()

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
            self._calls.push(_PartTickets(part.upload, [item], self._run, self._whole, self))

    def _restart(self, upload: PartUpload) -> None:
        """Begin anew with a file whose upload storage does not know any more."""
        item = upload.item
        item.history.renewals += 1
        if item.history.renewals > _RESTARTS:
            self._end(upload, lambda: self._whole.give_up(Outcome(item, FileState.FAILED, _GONE)))
        else:
            self._end(upload, lambda: self._whole.renew(item))

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
        self._changed(item.part.upload, problem, self._run.clock.monotonic())
        self._returned(item.part.upload)

    def _changed(self, upload: PartUpload, problem: Problem, now: float) -> None:
        """End an upload whose file changed, as the policy for such files says."""
        if upload.ended:
            return
        item = upload.item
        item.history.note(problem, now)
        decision = after_change(item.history, self._run.options.retry, now)
        if isinstance(decision, GiveUp):
            self._end(upload, lambda: self._whole.give_up(Outcome(item, decision.state, problem)))
        else:
            self._end(upload, lambda: self._whole.recheck(item, problem, decision.at))

    def fail(self, upload: PartUpload, outcome: Outcome) -> None:
        """Give up the file of an upload, for the reason for which one of its parts was given up."""
        whole = outcome._replace(item=upload.item)
        upload.item.history.attempts = max(upload.item.history.attempts, outcome.item.history.attempts)
        self._end(upload, lambda: self._whole.give_up(whole))

    def _end(self, upload: PartUpload, how: Callable[[], None]) -> None:
        """End an upload once none of its parts is on its way; the first reason counts."""
        if upload.ended:
            return
        upload.ended = True
        self._run.counters.bytes_moving -= _bytes_sent(upload)
        if upload in self._uploads:
            self._uploads.remove(upload)
        self._ends[upload] = how
        self._finish(upload)

    def _returned(self, upload: PartUpload) -> None:
        """Note that a part is no longer on its way."""
        upload.out -= 1
        self._out -= 1
        self._finish(upload)
        if self._run.stop.requested and not upload.ended and not upload.out:
            self.leave(upload)
        self._fill()

    def _finish(self, upload: PartUpload) -> None:
        if not upload.out and (end := self._ends.pop(upload, None)) is not None:
            end()

    def leave(self, upload: PartUpload) -> None:
        """Leave a file to the next run, with the parts that were sent or are on their way."""
        upload.kept = upload.kept or not upload.ended
        self._end(upload, lambda: self._whole.settle(Outcome(upload.item, None)))

    def given_back(self, items: Sequence[Item]) -> None:
        """Leave the parts of a call that was not made to the next run."""
        for item in items:
            self._settle(Outcome(item, None))


class _PartTickets(ServiceCall):
    """Requests the tickets of parts, for the first time or again."""

    files = 1

    def __init__(self, upload: PartUpload, items: Sequence[Item], run: Run, whole: Routes, parts: Parts) -> None:
        self.history = CallHistory()
        self._upload = upload
        self._items = items
        self._run = run
        self._whole = whole
        self._parts = parts

    async def make(self) -> bool:
        """Request the tickets, and pass the parts on. Raises `ProblemError`."""
        run = self._run
        if self._upload.ended:
            self._parts.given_back(self._items)
            return False
        asked_at = run.clock.monotonic()
        numbers = [item.part.number for item in self._items if item.part is not None]
        tickets = await run.provider.part_tickets(self._upload.ticket, numbers, run.call)
        for item, ticket in zip(self._items, tickets, strict=True):
            item.ticket = ticket
            now, monotonic = run.clock.now(), run.clock.monotonic()
            renew_at = renewal_time(ticket.expires_at, now, monotonic, run.options.lease_margin)
            self._whole.send(Ticketed(item, ticket, renew_at, asked_at))
        return True

    def log_repetition(self, problem: Problem, seconds: float) -> None:
        """Log that the call is made again."""
        _log.warning(LogEvent.PRESIGN_FAILED, reason=problem.message, again_in=seconds)

    def give_up(self, state: FileState, problem: Problem) -> None:
        """Give up the file."""
        for item in self._items:
            self._parts.fail(self._upload, Outcome(item, state, problem))
        self._parts.given_back(self._items)

    def give_back(self) -> None:
        """Leave the file to the next run."""
        self._parts.given_back(self._items)


class _Completion(ServiceCall):
    """Records that all parts are stored, where an earlier run ended before it did so. It makes no request."""

    files = 1

    def __init__(self, upload: PartUpload, parts: Parts) -> None:
        self.history = CallHistory()
        self._upload = upload
        self._parts = parts

    async def make(self) -> bool:
        """Record it, and have the upload closed. Raises `JournalError`."""
        await self._parts.complete(self._upload)
        return False

    def log_repetition(self, problem: Problem, seconds: float) -> None:
        """Not asked of a call that makes no request."""
        raise NotImplementedError

    def give_up(self, state: FileState, problem: Problem) -> None:
        """Not asked of a call that makes no request."""
        raise NotImplementedError

    def give_back(self) -> None:
        """Leave the file to the next run."""
        self._parts.leave(self._upload)


def _part(upload: PartUpload, number: int) -> Part:
    start = (number - 1) * _plan(upload).size
    return Part(upload, number, start, min(start + _plan(upload).size, upload.item.file.identity.size))


def _plan(upload: PartUpload) -> PartPlan:
    assert upload.ticket.parts is not None
    return upload.ticket.parts


def _bytes_sent(upload: PartUpload) -> int:
    return sum(part.end - part.start for part in (_part(upload, number) for number in upload.sent))
