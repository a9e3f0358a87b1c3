"""The bounded pool that sends files.

A worker makes one attempt at a time and never sleeps: a failed file goes back with a time, and the worker takes the
next one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable

from bulkup.helpers.event_logger import EventLogger
from bulkup.model.files import extension_of
from bulkup.model.items import Item, Outcome, Stored, Ticketed
from bulkup.model.log_events import LogEvent
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.model.states import FileState
from bulkup.model.tickets import Receipt
from bulkup.pipeline.files.opening import CHUNK
from bulkup.pipeline.options import LARGE
from bulkup.pipeline.policy.common_refusals import too_large
from bulkup.pipeline.policy.earlier_origins import NextTicket
from bulkup.pipeline.policy.fatal import fatal, refuses_every_file, tickets_over
from bulkup.pipeline.policy.host_gate import HostGate
from bulkup.pipeline.policy.redaction import redact
from bulkup.pipeline.policy.retry import (
    STORAGE_REFUSALS,
    Again,
    EndRun,
    GiveUp,
    Recheck,
    Renew,
    Silence,
    after_attempt,
)
from bulkup.pipeline.routes import Routes
from bulkup.pipeline.run import Run
from bulkup.pipeline.send.attempt import Count, FileSender
from bulkup.pipeline.under_way import SentBytes

_log = EventLogger("bulkup.workers")
_LOST = "a sending process ended unexpectedly"
_NOTABLE_PAUSE = 1.0  # seconds; the gate also makes many shorter ones


class Workers:
    """The part that all workers share; `work` is run once per worker."""

    def __init__(self, run: Run, routes: Routes, sender: FileSender) -> None:
        self._run = run
        self._routes = routes
        self._sender = sender
        self.under_way: dict[Item, tuple[HostGate, float, SentBytes]] = {}  # with the time of its begin

    async def work(self, number: int) -> None:
        """Send one file after the other until cancelled; `number` counts the workers from 0."""
        limit, meter = self._run.worker_limit, _Meter(self._run)
        while True:
            if number >= limit.wanted:
                await limit.stand_aside(number)
            file, gate = await self._routes.take()
            begun = self._run.clock.monotonic()
            limit.begin(begun, file.item.size)
            await self._send(file, gate, meter, begun)

    async def send_here(self, file: Ticketed, gate: HostGate, begun: float) -> None:
        """Make the attempt of a file in this process. Gate and limit have counted it as begun."""
        await self._send(file, gate, _Meter(self._run), begun)

    async def _send(self, file: Ticketed, gate: HostGate, meter: _Meter, begun: float) -> None:
        limit, clock = self._run.worker_limit, self._run.clock
        sent = await self._attempt(file, gate, meter, begun)
        stored = isinstance(sent, Receipt)
        limit.end(begun, clock.monotonic(), file.item.size, stored=stored)
        if isinstance(sent, Problem):
            self._failed(file, redact(sent, self._run.provider, file.ticket), gate)

    async def _attempt(self, file: Ticketed, gate: HostGate, meter: _Meter, begun: float) -> Receipt | Problem:
        run, item = self._run, file.item
        item.history.attempts += 1
        held = min(item.size, 2 * CHUNK)
        if not run.memory.try_take(held):
            await run.memory.take(held)
            begun = run.clock.monotonic()
        meter.begin(item)
        self.under_way[item] = gate, begun, meter
        try:
            try:
                sent = await self._sender.send(file, meter.count)
            except ProblemError as error:
                sent = error.problem
            finally:
                del self.under_way[item]
            if isinstance(sent, Receipt):
                now = run.clock.monotonic()
                gate.end(None, begun, now, 0.0)
                self.accepted(file, sent, begun, now)
                await self._record(file, sent)
            else:
                self._end_at_gate(file, gate, sent, begun)
            return sent
        finally:
            meter.end()
            run.memory.give(held)

    def _end_at_gate(self, file: Ticketed, gate: HostGate, problem: Problem, begun: float) -> None:
        now, was_closed_until = self._run.clock.monotonic(), gate.closed_until
        gate.end(problem, begun, now, self._run.random.random())
        closed_until = gate.closed_until
        if closed_until > was_closed_until and closed_until >= now + _NOTABLE_PAUSE:
            reason = redact(problem, self._run.provider, file.ticket).message
            if self._run.warnings.admits(LogEvent.STORAGE_PAUSED, reason, now=now):
                _log.warning(LogEvent.STORAGE_PAUSED, reason=reason, seconds=round(closed_until - now, 2))

    def accepted(self, file: Ticketed, receipt: Receipt, begun: float, now: float) -> None:
        """Note that storage has accepted a file, in an attempt from `begun` to `now`."""
        item, sent, seconds = file.item, self._run.counters.sent, now - begun
        sent.attempt(item.size, seconds)
        if item.part is None:
            sent.file(item.file, seconds, item.history.attempts)
        if file.asked_at is not None:
            self._run.counters.url_age.add(begun - file.asked_at)
        self._run.ticket_losses.worked()
        self._run.storage_refusals.accepted = True
        item.receipt, item.digest = receipt, receipt.digest or item.digest

    def closes(self, file: Ticketed) -> bool:
        """Return whether an accepted file needs a closing call before it counts as uploaded."""
        provider = self._run.provider
        return provider.capabilities.confirms and provider.closes(file.ticket)

    def lost(self, file: Ticketed, gate: HostGate) -> None:
        """Have a file sent again whose process ended during the attempt.

        Neither the file nor its host is at fault. Processes are lost a few times only, so this ends.
        """
        gate.withdraw()
        self._run.counters.retries += 1
        _log.debug(LogEvent.ATTEMPT_FAILED, path=file.item.file.name, reason=_LOST, next=Again.__name__)
        self._routes.retry(file, self._run.clock.monotonic())

    def failed(self, file: Ticketed, problem: Problem, gate: HostGate, begun: float) -> None:
        """Pass a file on after an attempt that began at `begun` and failed."""
        self._end_at_gate(file, gate, problem, begun)
        self._failed(file, redact(problem, self._run.provider, file.ticket), gate)

    def _record(self, file: Ticketed, receipt: Receipt) -> Awaitable[None]:
        """Return what to wait for: the row of an accepted file is on disk then."""
        # The worker is free again only when the row is on disk. So a kill makes us send no more files twice than there
        # are workers, however fast they are and however slow the disk.
        if file.item.part is not None:
            return self._routes.part_sent(file, receipt)
        if self.closes(file):
            return self._close_later(file, receipt)
        return self._routes.record(Outcome(file.item, FileState.UPLOADED if receipt.verified else FileState.UNVERIFIED))

    async def _close_later(self, file: Ticketed, receipt: Receipt) -> None:
        await self._run.journal.stored([file.item])
        self._routes.close(Stored(file.item, file.ticket, receipt))

    def _failed(self, file: Ticketed, problem: Problem, gate: HostGate) -> None:
        run, item, now = self._run, file.item, self._run.clock.monotonic()
        problem = self._of_earlier_run(file, problem)
        item.history.note(problem, now, gate.last_answer)
        if problem.kind is ProblemKind.EXPIRED:
            run.provider.url_expired()
        if self._note_lost_ticket(file, problem, now):
            run.stop.fail(tickets_over(None, run.clock_skew(), problem.message))
            self._routes.give_back(item)
            return
        if self._asks_anew(file, problem, gate, now):
            return
        counts_from = run.pause.counts_from(now)
        outage = gate.outage(now, counts_from)
        decision = after_attempt(
            problem,
            item.history,
            run.options.retry,
            now,
            run.random.random(),
            outage=outage is not None,
            silence=self._silence(item, gate, now),
            counts_from=counts_from,
        )
        if isinstance(decision, EndRun) and problem.unanswered and item.history.first_failure is not None:
            outage = outage or now - item.history.first_failure
        if self._note_refusal(file, problem, final=isinstance(decision, GiveUp)):
            run.stop.fail(refuses_every_file(problem, run.storage_refusals))
            self._routes.give_back(item)
            return
        _log.debug(LogEvent.ATTEMPT_FAILED, path=item.file.name, reason=problem.message, next=type(decision).__name__)
        if isinstance(decision, Again):
            run.counters.retries += 1
            self._routes.retry(file, gate.retries.retry_at(decision.at, now))
        elif isinstance(decision, Renew):
            item.history.renewals += 1
            self._routes.renew(item)
        elif isinstance(decision, Recheck):
            self._routes.recheck(item, problem, decision.at)
        elif isinstance(decision, GiveUp):
            self._routes.give_up(Outcome(item, decision.state, problem))
        else:
            run.stop.fail(fatal(problem, outage, of_storage=True))
            self._routes.give_back(item)

    def _of_earlier_run(self, file: Ticketed, problem: Problem) -> Problem:
        """Return a final refusal as one that a new URL may help, if the URL is of an earlier run and none has worked.

        The service may have signed with a wrong key, or named a wrong server, and be mended since.
        """
        if file.asked_at is not None or problem.kind is not ProblemKind.FAILED or self._run.storage_refusals.accepted:
            return problem
        return dataclasses.replace(problem, kind=ProblemKind.REFUSED)

    def _asks_anew(self, file: Ticketed, problem: Problem, gate: HostGate, now: float) -> bool:
        """Return whether a ticket of an earlier run is replaced, or its file waits, as its host has never answered."""
        run, item = self._run, file.item
        if file.asked_at is not None or gate.last_answer is not None:
            return False
        step = run.earlier_origins.failed(file.ticket.url.origin, item, problem)
        first_failure = now if item.history.first_failure is None else item.history.first_failure
        since = max(first_failure, run.pause.counts_from(now))
        if step is NextTicket.SAME or now - since > run.options.retry.retry_for:
            return False
        _log.debug(LogEvent.ATTEMPT_FAILED, path=item.file.name, reason=problem.message, next=step.name)
        if step is NextTicket.NEW:
            item.history.renewals += 1
            self._routes.renew(item)
        else:
            run.counters.retries += 1
            self._routes.retry(file, gate.retries.retry_at(now + run.options.retry.base, now))
        return True

    def _silence(self, item: Item, gate: HostGate, now: float) -> Silence:
        """Return what the silence of a file's host means, if it is silent since the file first failed."""
        if item.history.answered_since(gate.last_answer):
            return Silence.NONE
        oldest = now - self._run.options.longest_silence
        busy = any(begun < oldest for other, begun, _ in self.under_way.values() if other is gate)
        return Silence.BUSY if busy else Silence.DEAD

    def _note_lost_ticket(self, file: Ticketed, problem: Problem, now: float) -> bool:
        """Count a new URL that storage calls expired, and return whether the run must end because of such URLs."""
        if problem.kind is not ProblemKind.EXPIRED or file.asked_at is None or file.item.sent is not None:
            return False
        return self._run.ticket_losses.lost(file.asked_at, now, self._run.random.random())

    def _note_refusal(self, file: Ticketed, problem: Problem, *, final: bool) -> bool:
        """Count a refusal by storage, and return whether the run must end because storage refuses every file.

        It does not while a smaller file waits, if storage refuses files for their size. URLs of an earlier run may be
        refused for their age, so for them a new URL is tried first.
        """
        item, refusals = file.item, self._run.storage_refusals
        if not refusals.undecided or problem.kind not in STORAGE_REFUSALS:
            return False
        if problem.kind is not ProblemKind.REFUSED or item.history.refusals == 1:
            refusals.refused(problem.message, extension_of(item.file.name), final=final or file.asked_at is None)
        waits = too_large(problem.message) and self._routes.smaller_waits(item.file.identity.size)
        tried = final or refusals.new_urls_do_not_help
        return tried and refusals.concern_every_file(other_kinds_wait=waits)


class _Meter:
    """Counts the bytes of a worker's attempt, so that they can be taken off the progress when it ends.

    An attempt begins with the bytes that earlier ones sent, and that it need not send again.
    """

    __slots__ = ("_counters", "_large", "_limit", "count", "sent")

    def __init__(self, run: Run) -> None:
        self._counters = run.counters
        self._limit = run.worker_limit
        self._large = False
        self.sent = 0
        self.count: Count = self._add  # bound once, not for each file

    def begin(self, item: Item) -> None:
        self._large = item.size > LARGE
        self.sent = 0
        if item.sent is not None:
            self.sent = item.sent.bytes
            self._counters.bytes_moving += self.sent

    def _add(self, count: int) -> None:
        self.sent += count
        self._counters.bytes_sent += count
        self._counters.bytes_moving += count
        if self._large:
            self._limit.bytes += count

    def end(self) -> None:
        self._counters.bytes_moving -= self.sent
