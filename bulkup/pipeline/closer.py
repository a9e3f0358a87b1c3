"""The closing calls of providers that have them, and their polls, so that no worker waits for one.

What enters to be confirmed has its receipt on disk already: a run cut off here confirms when it goes on, and sends
nothing again. Files given up are told to services that want to know; nothing depends on that.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import anyio
import structlog
from anyio.abc import TaskGroup

from bulkup.helpers.delay_queue import DelayQueue
from bulkup.model.history import CallHistory
from bulkup.model.items import Item, Outcome
from bulkup.model.log_events import LogEvent
from bulkup.model.problems import Problem, ProblemError
from bulkup.model.states import FileState
from bulkup.pipeline.policy.fatal import fatal
from bulkup.pipeline.policy.redaction import redact
from bulkup.pipeline.policy.retry import (
    Again,
    GiveUp,
    Situation,
    after_call,
    next_poll,
)
from bulkup.pipeline.recorder import Recorder
from bulkup.pipeline.run import Run
from bulkup.providers import NotYet

_log = structlog.get_logger("bulkup.closer")
T = TypeVar("T")


@dataclass(slots=True)
class _Closing:
    """An upload to be confirmed, or one that was given up with an `outcome`; `remote` is what the service said last.

    `again` says that a call about it was made whose answer nobody saw: by a run that was cut off, or a moment ago.
    """

    item: Item
    outcome: Outcome | None = None
    again: bool = False
    history: CallHistory = field(default_factory=CallHistory)
    polls: int = 0
    polled_since: float | None = None
    remote: Mapping[str, Any] | None = None


class Closer:
    """One loop, and a task a call, `calls_in_flight` at most. What enters never blocks."""

    def __init__(self, run: Run, recorder: Recorder) -> None:
        self._run = run
        self._recorder = recorder
        self._due: DelayQueue[_Closing] = DelayQueue()
        self._calls = 0
        self._answered_at: float | None = None
        self._wake = anyio.Event()
        run.gates.api.on_room(self.wake)

    @property
    def depth(self) -> int:
        """Files that wait for their closing call, or for its answer."""
        return len(self._due) + self._calls

    def add(self, item: Item) -> None:
        """Take a file that storage has, from this run or from one that was cut off."""
        self._due.push(_Closing(item, again=not item.history.attempts), 0.0)
        self._wake.set()

    def give_up(self, outcome: Outcome) -> None:
        """Take a file that has a ticket and will not be uploaded with it."""
        if self._run.provider.capabilities.abandons and not self._run.stop.requested:
            self._due.push(_Closing(outcome.item, outcome), 0.0)
            self._wake.set()
        else:
            self._recorder.settle(outcome)

    def wake(self) -> None:
        """Look again: there is room for a call, or the run is to stop."""
        self._wake.set()

    async def work(self) -> None:
        """Confirm until cancelled. Raises `JournalError`."""
        async with anyio.create_task_group() as calls:
            while True:
                self._wake = anyio.Event()
                now = self._run.clock.monotonic()
                if self._run.stop.requested:
                    self._let_go()
                self._start_calls(calls, now)
                with anyio.move_on_after(self._seconds_to_sleep(now)):
                    await self._wake.wait()

    @property
    def _free(self) -> int:
        return self._run.options.calls_in_flight - self._calls

    def _let_go(self) -> None:
        for closing in self._due.drain():
            if closing.outcome is not None:
                self._recorder.settle(closing.outcome)
            else:
                self._recorder.give_back(closing.item, closing.remote)

    def _seconds_to_sleep(self, now: float) -> float | None:
        """Return how long nothing can become due by itself, None for ever."""
        due = self._due.next_due()
        if due is None or not self._free:
            return None
        later = max(due, self._run.gates.api.closed_until) - now
        return later if later > 0 else None  # due and not begun: as many calls are under way as the host takes

    def _start_calls(self, calls: TaskGroup, now: float) -> None:
        if not self._due:
            return
        gate = self._run.gates.api
        for closing in self._due.pop_due(now, limit=gate.room(now, self._free)):
            self._calls += 1
            gate.begin()
            calls.start_soon(self._call, closing)

    async def _call(self, closing: _Closing) -> None:
        try:
            if closing.outcome is not None:
                await self._abandon(closing.item, closing.outcome)
            else:
                await self._confirm(closing)
        finally:
            self._calls -= 1
            self._wake.set()

    async def _abandon(self, item: Item, outcome: Outcome) -> None:
        ticket = item.ticket
        assert ticket is not None
        assert outcome.state is not None
        # First on disk: a run cut off between the two must not find a ticket to go on with, for what it sent then would
        # be taken for complete by a service that was told the opposite.
        await self._recorder.given_up(outcome)
        item.ticket = None
        try:
            await self._answer(self._run.provider.abandon(ticket, outcome.state, self._run.call))
        except ProblemError as error:
            reason = error.problem.message
            _log.warning(LogEvent.ABANDON_FAILED, path=item.file.name, reason=reason)
        self._recorder.settle(outcome)

    async def _confirm(self, closing: _Closing) -> None:
        item, provider = closing.item, self._run.provider
        assert item.ticket is not None
        assert item.receipt is not None
        try:
            if closing.polls:
                answer = await self._answer(provider.poll(item.ticket, self._run.call))
            else:
                closed = provider.confirm(item.ticket, item.receipt, self._run.call, again=closing.again)
                answer = await self._answer(closed)
        except ProblemError as error:
            self._failed(closing, error.problem)
            return
        self._answered_at = self._run.clock.monotonic()
        closing.history = CallHistory()
        if isinstance(answer, NotYet):
            self._poll_again(closing, answer)
        else:
            state = FileState.UPLOADED if item.receipt.verified else FileState.UNVERIFIED
            self._recorder.settle(Outcome(item, state, remote=answer))

    async def _answer(self, call: Awaitable[T]) -> T:
        """Return what a call brings, and tell the gate of it. Raises `ProblemError` without secrets."""
        gate, begun, problem = self._run.gates.api, self._run.clock.monotonic(), None
        try:
            return await call
        except ProblemError as error:
            problem = redact(error.problem, self._run.provider)
            raise ProblemError(problem) from error.__cause__
        finally:
            gate.end(problem, begun, self._run.clock.monotonic(), self._run.random.random())

    def _poll_again(self, closing: _Closing, answer: NotYet) -> None:
        now = self._run.clock.monotonic()
        closing.polled_since = now if closing.polled_since is None else closing.polled_since
        closing.remote = answer.remote
        if now - closing.polled_since > self._run.options.retry.retry_for:
            _log.warning(LogEvent.CONFIRM_UNFINISHED, path=closing.item.file.name, remote=dict(answer.remote))
            self._recorder.give_back(closing.item, answer.remote)  # its row says stored: the next run asks on
            return
        self._due.push(closing, now + next_poll(answer.seconds, closing.polls))
        closing.polls += 1

    def _failed(self, closing: _Closing, problem: Problem) -> None:
        now, history = self._run.clock.monotonic(), closing.history
        closing.again = closing.again or problem.maybe_created
        history.note(problem, now)
        answered = self._answered_at
        # The presign call for this file was answered, or there would be nothing to confirm.
        gate = self._run.gates.api
        outage = gate.outage(now)
        since = history.answered_since(answered)
        situation = Situation(1, ever_answered=True, answered_since=since, outage=outage is not None)
        chance = self._run.random.random()
        decision = after_call(problem, history, situation, self._run.options.retry, now, chance)
        if isinstance(decision, Again):
            at = gate.retries.retry_at(decision.at, now)
            _log.warning(LogEvent.CONFIRM_FAILED, reason=problem.message, again_in=round(at - now, 2))
            self._run.counters.retries += 1
            self._due.push(closing, at)
        elif isinstance(decision, GiveUp):
            outcome = Outcome(closing.item, decision.state, problem)
            if outcome.unconfirmed:
                self._recorder.settle(outcome)
            else:
                self.give_up(outcome)  # what the service will not complete is not to stay there
        else:
            self._run.stop.fail(fatal(problem, outage))
            self._recorder.give_back(closing.item)
