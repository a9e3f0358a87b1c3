"""The closing calls of providers that have them, and their polls, so that no worker waits for one.

What enters has its receipt on disk already: a run cut off here confirms when it goes on, and sends nothing again.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import anyio
import structlog
from anyio.abc import TaskGroup

from bulkup.messages import FileState, Item, Outcome, Problem, ProblemError
from bulkup.pipeline.problems import fatal, told
from bulkup.pipeline.recorder import Recorder
from bulkup.pipeline.retry import Again, CallHistory, GiveUp, Situation, after_call, answered_since, note
from bulkup.pipeline.run import Run
from bulkup.providers import NotYet
from bulkup.schedule import Delayed

_log = structlog.get_logger("bulkup.confirmer")
_SHORTEST_POLL = 0.1


@dataclass(slots=True)
class _Closing:
    item: Item
    history: CallHistory = field(default_factory=CallHistory)
    polled_since: float | None = None


class Confirmer:
    """One loop, and a task a call, `calls_in_flight` at most. What enters through `add` never blocks."""

    def __init__(self, run: Run, recorder: Recorder) -> None:
        self._run = run
        self._recorder = recorder
        self._due: Delayed[_Closing] = Delayed()
        self._calls = 0
        self._answered_at: float | None = None
        self._wake = anyio.Event()

    @property
    def depth(self) -> int:
        """Files that wait for their closing call, or for its answer."""
        return len(self._due) + self._calls

    def add(self, item: Item) -> None:
        """Take a file that storage has."""
        self._due.push(_Closing(item), 0.0)
        self._wake.set()

    def nudge(self) -> None:
        """Look again: the run is to stop."""
        self._wake.set()

    async def work(self) -> None:
        """Confirm until cancelled. Raises `JournalError`."""
        async with anyio.create_task_group() as calls:
            while True:
                self._wake = anyio.Event()
                now = self._run.clock.monotonic()
                if self._run.stop.requested:
                    self._recorder.give_back_all(closing.item for closing in self._due.drain())
                self._start_calls(calls, now)
                due = self._due.next_due() if self._free else None
                with anyio.move_on_after(max(0.0, due - now) if due is not None else None):
                    await self._wake.wait()

    @property
    def _free(self) -> int:
        return self._run.options.calls_in_flight - self._calls

    def _start_calls(self, calls: TaskGroup, now: float) -> None:
        for closing in self._due.pop_due(now, most=self._free):
            self._calls += 1
            calls.start_soon(self._call, closing)

    async def _call(self, closing: _Closing) -> None:
        item = closing.item
        assert item.ticket is not None
        assert item.receipt is not None
        try:
            answer = await self._run.provider.confirm(item.ticket, item.receipt, self._run.call)
        except ProblemError as error:
            self._failed(closing, told(error.problem, self._run.provider))
        else:
            self._answered_at = self._run.clock.monotonic()
            if isinstance(answer, NotYet):
                self._poll_again(closing, answer.seconds)
            else:
                state = FileState.UPLOADED if item.receipt.verified else FileState.UNVERIFIED
                self._recorder.settle(Outcome(item, state, remote=answer))
        finally:
            self._calls -= 1
            self._wake.set()

    def _poll_again(self, closing: _Closing, seconds: float) -> None:
        now = self._run.clock.monotonic()
        closing.polled_since = now if closing.polled_since is None else closing.polled_since
        if now - closing.polled_since > self._run.options.retry.retry_for:
            _log.warning("a service does not come to an end", path=closing.item.file.name)
            self._recorder.give_back(closing.item)  # its row says stored: the next run asks on
        else:
            self._due.push(closing, now + max(_SHORTEST_POLL, seconds))

    def _failed(self, closing: _Closing, problem: Problem) -> None:
        now, history = self._run.clock.monotonic(), closing.history
        note(history, problem, now)
        answered = self._answered_at
        # The presign call for this file was answered, or there would be nothing to confirm.
        situation = Situation(1, ever_answered=True, answered_since=answered_since(history, answered))
        chance = self._run.random.random()
        decision = after_call(problem, history, situation, self._run.options.retry, now, chance)
        if isinstance(decision, Again):
            _log.warning("confirm call failed", reason=problem.message, again_in=round(decision.at - now, 2))
            self._run.counters.retries += 1
            self._due.push(closing, decision.at)
        elif isinstance(decision, GiveUp):
            self._recorder.settle(Outcome(closing.item, decision.state, problem))
        else:
            self._run.stop.fail(fatal(problem))
            self._recorder.give_back(closing.item)
