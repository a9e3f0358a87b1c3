"""The closing calls of providers that have them, and their polls, so that no worker waits for one.

A file that enters has its receipt on disk: a run that is killed here closes the upload when it is resumed, and sends
nothing again. Services that want it are informed of files given up; nothing depends on that call.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import anyio

from bulkup.helpers.event_logger import EventLogger
from bulkup.helpers.utf8_mode import path_text
from bulkup.model.files import extension_of
from bulkup.model.history import CallHistory
from bulkup.model.items import Outcome, Stored
from bulkup.model.log_events import LogEvent
from bulkup.model.problems import Problem
from bulkup.model.states import FileState
from bulkup.model.tickets import Ticket
from bulkup.pipeline.api_calls import ApiCalls, ServiceCall
from bulkup.pipeline.policy.fatal import refuses_every_file
from bulkup.pipeline.policy.retry import CALL_REFUSALS, next_poll
from bulkup.pipeline.routes import Routes
from bulkup.pipeline.run import Run
from bulkup.providers import NotYet

_log = EventLogger("bulkup.closer")


class Closer:
    """Takes files that storage has, and files that are given up. Its methods never block."""

    def __init__(self, run: Run, routes: Routes) -> None:
        self._run = run
        self._routes = routes
        # The presign call for each of these files was answered.
        self._calls = ApiCalls(run, most=run.options.most_closing_calls, ever_answered=True)

    @property
    def depth(self) -> int:
        """Files that wait for their closing call, or for its answer."""
        return self._calls.files_due + self._calls.files_under_way

    def add(self, stored: Stored) -> None:
        """Take a file that storage has, from this run or from an interrupted one."""
        self._calls.push(_ClosingCall(stored, self._run, self._routes, self._calls))

    def give_up(self, outcome: Outcome) -> None:
        """Take a file that will not be uploaded with the ticket it has."""
        abandons = self._run.provider.capabilities.abandons and not self._run.stop.requested
        if abandons and outcome.item.ticket is not None and outcome.state is not None:
            if outcome.state is FileState.FAILED:
                self._routes.count_failure()
            counted = outcome._replace(counted=True)
            self._calls.push(_AbandonCall(counted, outcome.item.ticket, outcome.state, self._run, self._routes))
        else:
            self._routes.settle(outcome)

    def wake(self) -> None:
        """Look again: a stop was requested."""
        self._calls.wake()

    async def work(self) -> None:
        """Make calls until cancelled. Raises `JournalError`."""
        await self._calls.work()


class _ClosingCall(ServiceCall):
    """The closing call of one upload, and the polls that follow the answer "not yet"."""

    files = 1

    def __init__(self, stored: Stored, run: Run, routes: Routes, calls: ApiCalls) -> None:
        self.history = CallHistory()
        self.ticket = stored.ticket
        self._stored = stored
        self._run = run
        self._routes = routes
        self._calls = calls
        # A call may have been made whose answer never arrived: by an interrupted run, or a moment ago.
        self._again = not stored.item.history.attempts
        self._polls = 0
        self._polled_since: float | None = None
        self._remote: Mapping[str, Any] | None = None

    async def make(self) -> bool:
        """Close the upload, or ask whether it has come to an end. Raises `ProblemError`."""
        item, ticket, receipt = self._stored
        provider, call = self._run.provider, self._run.call
        if self._polls:
            answer = await provider.poll(ticket, call)
        else:
            answer = await provider.confirm(ticket, receipt, call, again=self._again)
        self.history = CallHistory()
        self._run.closing_refusals.accepted = True
        if isinstance(answer, NotYet):
            self._poll_later(answer)
        else:
            state = FileState.UPLOADED if receipt.verified else FileState.UNVERIFIED
            self._routes.settle(Outcome(item, state, remote=answer))
        return True

    async def note_failure(self, problem: Problem, now: float) -> None:
        """Add a failure; after some of them the call may have been carried out all the same."""
        self.history.note(problem, now)
        self._again = self._again or problem.maybe_created

    def log_repetition(self, problem: Problem, seconds: float) -> None:
        """Log that the call is made again."""
        reason, now = problem.message, self._run.clock.monotonic()
        name = path_text(self._stored.item.file.path)
        if self._run.warnings.admits(LogEvent.CONFIRM_FAILED, reason, name=name, now=now):
            _log.warning(LogEvent.CONFIRM_FAILED, reason=reason, again_in=seconds)

    def give_up(self, state: FileState, problem: Problem) -> None:
        """Settle the file; an upload that the service will not complete must not stay there."""
        refusals = self._run.closing_refusals
        if problem.kind in CALL_REFUSALS:
            refusals.refused(problem.message, extension_of(self._stored.item.file.name))
            if refusals.concern_every_file():
                self._run.stop.fail(refuses_every_file(problem, refusals))
                self.give_back()  # its row says "stored": the next run asks again
                return
        outcome = Outcome(self._stored.item, state, problem)
        (self._routes.settle if outcome.unconfirmed else self._routes.give_up)(outcome)

    def give_back(self) -> None:
        """Leave the closing call to the next run, with the last answer of the service."""
        self._routes.settle(Outcome(self._stored.item, None, remote=self._remote))

    def _poll_later(self, answer: NotYet) -> None:
        now, policy = self._run.clock.monotonic(), self._run.options.retry
        self._polled_since = now if self._polled_since is None else self._polled_since
        self._remote = answer.remote
        if now - max(self._polled_since, self._run.pause.counts_from(now)) > policy.retry_for:
            name = path_text(self._stored.item.file.path)
            if self._run.warnings.admits(LogEvent.CONFIRM_UNFINISHED, "", name=name):
                _log.warning(LogEvent.CONFIRM_UNFINISHED, path=name, remote=dict(answer.remote))
            self.give_back()  # its row says "stored": the next run asks again
            return
        self._calls.push(self, now + next_poll(answer.seconds, self._polls, policy))
        self._polls += 1


class _AbandonCall(ServiceCall):
    """Informs the service of a file that is given up. It is made once: nothing depends on it."""

    files = 1
    repeats = False

    def __init__(self, outcome: Outcome, ticket: Ticket, state: FileState, run: Run, routes: Routes) -> None:
        self.history = CallHistory()
        self._outcome = outcome
        self._ticket = ticket
        self._state = state
        self._run = run
        self._routes = routes

    async def make(self) -> bool:
        """Record the outcome, then inform the service. Raises `ProblemError`, `JournalError`."""
        # First on disk: a run that is killed between the two must not find a ticket to use. The service would take its
        # bytes for complete, although it was informed of the opposite.
        with anyio.CancelScope(shield=True):  # a row that the journal takes is counted, even if the run ends now
            await self._run.journal.settled([self._outcome], self._run.clock.now())
        try:
            gone = await self._run.provider.abandon(self._ticket, self._state, self._run.call)
            if gone and self._ticket.parts is not None:
                await self._run.journal.deleted(self._ticket)
        finally:
            self._routes.settle(self._outcome._replace(on_disk=True))
        return True

    async def note_failure(self, problem: Problem, now: float) -> None:
        """Log the failure; `make` has settled the file."""
        del now  # the call is not repeated
        name, reason = path_text(self._outcome.item.file.path), problem.message
        if self._run.warnings.admits(LogEvent.ABANDON_FAILED, reason, name=name):
            _log.warning(LogEvent.ABANDON_FAILED, path=name, reason=reason)

    def log_repetition(self, problem: Problem, seconds: float) -> None:
        """Not asked of a call that is made once."""
        raise NotImplementedError

    def give_up(self, state: FileState, problem: Problem) -> None:
        """Not asked of a call that is made once."""
        raise NotImplementedError

    def give_back(self) -> None:
        """Settle the file without the call."""
        self._routes.settle(self._outcome)
