"""One presign call from its intent to its tickets, in the only order that survives a kill at any instant.

The intent is on disk before the call, so that ids that never reached us are at least counted. The tickets are on disk
before their files are passed on, and so before any byte is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NoReturn

from bulkup.helpers.event_logger import EventLogger
from bulkup.helpers.secrets import SecretUrl
from bulkup.model.files import extension_of
from bulkup.model.history import CallHistory
from bulkup.model.items import Group, Item, Outcome, Ticketed
from bulkup.model.log_events import LogEvent
from bulkup.model.problems import OF_THE_HOST, Problem, ProblemError, ProblemKind
from bulkup.model.states import FileState
from bulkup.model.tickets import AlreadyThere, NeedsDigest, Receipt, Rejection, Ticket
from bulkup.pipeline.api_calls import ServiceCall
from bulkup.pipeline.policy.fatal import tickets_over
from bulkup.pipeline.policy.kind_refusal import refers_to_kind
from bulkup.pipeline.policy.retry import CALL_REFUSALS, LAPSED, GiveUp, after_lapse
from bulkup.pipeline.presign.leases import renewal_time
from bulkup.pipeline.routes import Routes
from bulkup.pipeline.run import Run
from bulkup.providers import FileSpec, TicketAnswer

_log = EventLogger("bulkup.batcher")
_STATES = {ProblemKind.REJECTED: FileState.REJECTED, ProblemKind.FAILED: FileState.FAILED}


class TicketRequest(ServiceCall):
    """Asks for the tickets of a group. `answered` takes the files that got one.

    `undecided` takes files that were refused before any was accepted: the cause may be one that all files have in
    common. A group that was refused as a whole has no problem of a single file, so it comes with None.
    """

    def __init__(
        self,
        items: Sequence[Item],
        run: Run,
        routes: Routes,
        answered: Callable[[Sequence[Ticketed]], None],
        undecided: Callable[[Sequence[Item], Problem | None], None],
    ) -> None:
        self.files = len(items)
        self.history = CallHistory()
        self._items = items
        self._run = run
        self._routes = routes
        self._answered = answered
        self._undecided = undecided
        self._last_refusal: Problem | None = None  # if the last failure was one

    async def make(self) -> bool:
        """Ask for tickets; rejected files are settled. Raises `ProblemError`, `JournalError`.

        Where the service cannot answer yet for some of the files, only those remain, and are asked for again.
        """
        self.partly_answered = False
        run, specs = self._run, self._wanted()
        items = self._items
        if not items:
            return False
        group = Group(items)
        can = run.provider.capabilities
        if can.creates_ids:
            await self._record_intent(group)
        run.counters.presign_calls += not can.signs_locally
        asked_at = run.clock.monotonic()
        with run.cut_off.call():
            answers = await run.provider.presign(specs, run.call)
        run.counters.presign_seconds.add(run.clock.monotonic() - asked_at)
        self._check(answers)
        answered = [answer if isinstance(answer, Ticket) else None for answer in answers]
        await self._record_tickets(group, answered)
        tickets = [(item, ticket) for item, ticket in zip(items, answered, strict=True) if ticket is not None]
        now, monotonic, margin = run.clock.now(), run.clock.monotonic(), run.options.lease_margin
        ticketed: list[Ticketed] = []
        over: list[Ticketed] = []
        for item, ticket in tickets:
            item.ticket = ticket
            if item.history.renewals:
                run.earlier_origins.renewed(item, ticket.url.origin)
            renew_at = renewal_time(ticket.expires_at, now, monotonic, margin)
            file = Ticketed(item, ticket, renew_at, asked_at)
            (over if renew_at is not None and renew_at <= monotonic else ticketed).append(file)
        unanswered: list[tuple[Item, Problem]] = []
        for item, answer in zip(items, answers, strict=True):
            if isinstance(answer, Ticket):
                continue
            if isinstance(answer, Problem) and answer.kind in OF_THE_HOST:
                unanswered.append((item, answer))
            else:
                self._settle_without_ticket(item, answer)
        run.counters.presign_files += len(tickets)
        if tickets or any(isinstance(answer, AlreadyThere) for answer in answers):
            run.service_refusals.accepted = True
            run.refused_kinds.accepted(self._kinds_of_accepted(specs, answers))
        self._answered(ticketed)
        self._lost(over, now, asked_at)
        if unanswered:
            self._ask_again(unanswered)
        return True

    def _ask_again(self, unanswered: Sequence[tuple[Item, Problem]]) -> NoReturn:
        """Keep these files alone, and raise the problem of one, a throttled one first."""
        self.partly_answered = True
        self._items, self.files = [item for item, _ in unanswered], len(unanswered)
        problems = [problem for _, problem in unanswered]
        throttled = (problem for problem in problems if problem.kind is ProblemKind.THROTTLED)
        raise ProblemError(next(throttled, problems[0]))

    async def _record_intent(self, group: Group) -> None:
        """Record that ids may be created from now on. Tickets that the call replaces are no longer valid."""
        await self._run.journal.asked(group, self._replaced(), self._run.clock.now())
        for item in self._items:
            item.ticket = item.sent = None
            item.parts = ()

    async def _record_tickets(self, group: Group, tickets: Sequence[Ticket | None]) -> None:
        """Record the tickets. Without an intent, they replace earlier ones only now."""
        if self._run.provider.capabilities.creates_ids:
            await self._run.journal.ticketed(group, tickets)
            return
        await self._run.journal.issued(group, self._replaced(), tickets, self._run.clock.now())
        for item in self._items:
            item.ticket = item.sent = None
            item.parts = ()

    def _replaced(self) -> list[tuple[Item, Ticket]]:
        return [(item, item.ticket) for item in self._items if item.ticket is not None]

    async def note_failure(self, problem: Problem, now: float) -> None:
        """Count the ids that the call may have created, besides the failure. Raises `JournalError`."""
        if problem.maybe_created and self._run.provider.capabilities.creates_ids:
            await self._run.journal.unknown_ids(len(self._items), problem.message, self._run.clock.now())
        self.history.note(problem, now)
        self._last_refusal = problem if problem.kind in CALL_REFUSALS else None

    def log_repetition(self, problem: Problem, seconds: float) -> None:
        """Log that the call is made again."""
        reason, now = problem.message, self._run.clock.monotonic()
        if self._run.warnings.admits(LogEvent.PRESIGN_FAILED, reason, now=now):
            _log.warning(LogEvent.PRESIGN_FAILED, reason=reason, again_in=seconds)

    def halves(self) -> Sequence[TicketRequest]:
        """Return two requests for a part of the files each, without this one's failures.

        A refused group is not split while no file was ever accepted: its files are tried alone. Nor is it split if its
        files are all of a kind that the service refuses.
        """
        middle = len(self._items) // 2
        halves: Sequence[Sequence[Item]] = (self._items[:middle], self._items[middle:])
        if self._last_refusal is not None:
            kinds = [extension_of(item.file.name) for item in self._items]
            if len(set(kinds)) == 1 and self._run.refused_kinds.established(kinds[0], self._last_refusal.message):
                self.give_up(_STATES[self._last_refusal.kind], self._last_refusal)
                return ()
            new = not all(map(self._run.refused_kinds.suspected, kinds))
            if new and self._run.service_refusals.undecided:
                self._undecided(self._items, None)
                return ()
            halves = [[self._items[at] for at in part] for part in self._run.refused_kinds.parts(kinds)]
        return [TicketRequest(half, self._run, self._routes, self._answered, self._undecided) for half in halves]

    def give_up(self, state: FileState, problem: Problem) -> None:
        """Settle the files, unless no file was ever accepted: then the cause may be none of theirs."""
        if problem.kind in CALL_REFUSALS:
            if self._concerns_kind(problem):
                self._note_refused_kind(self._items[0], problem)
            elif self._run.service_refusals.undecided:
                self._undecided(self._items, problem)
                return
            if len(self._items) == 1:
                self._run.refused_kinds.refused(extension_of(self._items[0].file.name), problem.message)
        for item in self._items:
            self._routes.settle(Outcome(item, state, problem, by_service=problem.kind is ProblemKind.REJECTED))

    def give_back(self) -> None:
        """Leave the files to the next run."""
        for item in self._items:
            self._routes.give_back(item)

    def _wanted(self) -> list[FileSpec]:
        """Settle files that the service does not accept, and return the others as the provider receives them.

        The scanner has rejected most of them. It does not check a file that is first hashed to compare it with its row,
        and cannot know how a file changes later.
        """
        kept, specs = [], []
        for item in self._items:
            spec = FileSpec.of(item.file, item.digest)
            known = item.accepted is item.file and item.digest is None
            rejection = None if known else self._run.provider.reject(spec)
            if rejection is not None:
                self._reject_before_call(item, rejection)
            else:
                kept.append(item)
                specs.append(spec)
        self._items, self.files = kept, len(kept)
        return specs

    @staticmethod
    def _kinds_of_accepted(specs: Sequence[FileSpec], answers: Sequence[TicketAnswer]) -> set[str]:
        answered = zip(specs, answers, strict=True)
        return {spec.extension for spec, answer in answered if isinstance(answer, Ticket | AlreadyThere)}

    def _settle_without_ticket(self, item: Item, answer: Rejection | AlreadyThere | NeedsDigest | Problem) -> None:
        if isinstance(answer, NeedsDigest):
            self._routes.hash(item)
            return
        self._run.earlier_origins.needs_no_ticket(item)
        if isinstance(answer, Rejection):
            self._rejected_by_service(item, answer)
            return
        if isinstance(answer, Problem):
            self._failed_at_service(item, answer)
            return
        # The service vouches for the bytes if it was asked with their digest.
        item.ticket = Ticket(SecretUrl(""), answer.remote_id, remote={**answer.remote, "already_there": True})
        verified = item.digest is not None
        item.receipt = Receipt(item.digest, item.file.identity, None, verified, self._run.clock.now())
        state = FileState.UPLOADED if verified else FileState.UNVERIFIED
        self._routes.settle(Outcome(item, state, already_there=True))

    def _rejected_by_service(self, item: Item, rejection: Rejection) -> None:
        """Settle a file that the service rejects, unless it never accepted any."""
        problem = Problem(ProblemKind.REJECTED, rejection.reason)
        self._run.refused_kinds.refused(extension_of(item.file.name), rejection.reason)
        for_kind = refers_to_kind(rejection.reason, extension_of(item.file.name))
        if for_kind:
            self._note_refused_kind(item, problem)
        if for_kind or not self._run.service_refusals.undecided:
            self._routes.settle(Outcome(item, FileState.REJECTED, problem, by_service=True))
        else:
            self._undecided([item], problem)

    def _failed_at_service(self, item: Item, problem: Problem) -> None:
        """Fail a file that gets no ticket in this run, unless the service never accepted any."""
        if self._run.service_refusals.undecided:
            self._undecided([item], problem)
        else:
            self._routes.settle(Outcome(item, FileState.FAILED, problem))

    def _note_refused_kind(self, item: Item, problem: Problem) -> None:
        self._run.service_refusals.refused(problem.message, extension_of(item.file.name))
        self._answered([])  # it may decide about files that were refused before

    def _concerns_kind(self, problem: Problem) -> bool:
        kinds = {extension_of(item.file.name) for item in self._items}
        return len(kinds) == 1 and refers_to_kind(problem.message, *kinds)

    def _reject_before_call(self, item: Item, rejection: Rejection) -> None:
        problem = Problem(ProblemKind.REJECTED, rejection.reason)
        self._routes.settle(Outcome(item, FileState.REJECTED, problem, unsupported=rejection.unsupported))

    def _lost(self, over: Sequence[Ticketed], now: float, asked_at: float) -> None:
        """Ask again later for files whose tickets were over on arrival, or end the run."""
        run = self._run
        if not over:
            return
        ends = run.ticket_losses.lost(asked_at, run.clock.monotonic(), run.random.random())
        if run.warnings.admits(LogEvent.TICKETS_OVER, "", now=run.clock.monotonic()):
            _log.warning(LogEvent.TICKETS_OVER, files=len(over), rounds=run.ticket_losses.rounds)
        if ends:
            latest = max(file.ticket.expires_at or now for file in over)
            run.stop.fail(tickets_over(now - latest, run.clock_skew()))
        for file in over:
            file.item.history.lapses += 1
            decision = after_lapse(file.item.history, run.options.retry)
            if ends:
                self._routes.give_back(file.item)
            elif isinstance(decision, GiveUp):
                self._routes.give_up(Outcome(file.item, decision.state, LAPSED))
            else:
                self._routes.renew(file.item)

    def _check(self, answers: Sequence[TicketAnswer]) -> None:
        """Raise `ProblemError` where these answers would send a file to the URL of another one."""
        count, issued = len(self._items), self._run.issued
        if len(answers) != count:
            # An adapter's own check should have found it.
            text = f"{len(answers)} tickets for {count} files"
            raise ProblemError(Problem(ProblemKind.UNUSABLE, text, maybe_created=True))
        for item, answer in zip(self._items, answers, strict=True):
            clash = issued.clash(answer, item.file.full_path, item.digest) if isinstance(answer, Ticket) else None
            if clash is not None:
                # An adapter finds it within a call; a cache before the service gives one answer to several calls.
                text = f"the service returned {clash} that belongs to another file"
                raise ProblemError(Problem(ProblemKind.TRANSIENT, text, maybe_created=True))
