"""The one loop of API calls under the service's gate: for presign calls, closing calls and polls alike.

    due ----------> under way --answered--> the call itself passes its files on
     ^                  |
     |                failed
     '-- again, split --+--> give up its files, or end the run          (`policy.retry.after_call` decides)

- At most `most` calls of one `ApiCalls` are under way, and never more than the gate of the API admits.
- A failed call does not at once fail its files: it is made again, or in halves where one of its files must be at fault.
- While the run is paused, no call begins. Those under way end.
- After a stop is requested, calls that are due are given back. Calls under way end, or are cut off after the grace.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Protocol

import anyio
from anyio.abc import TaskGroup

from bulkup.helpers.alarm import Alarm
from bulkup.helpers.delay_queue import DelayQueue
from bulkup.model.history import CallHistory
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.model.states import FileState
from bulkup.model.tickets import Ticket
from bulkup.pipeline.policy.fatal import fatal
from bulkup.pipeline.policy.redaction import redact
from bulkup.pipeline.policy.retry import Again, CallDecision, GiveUp, Situation, Split, after_call
from bulkup.pipeline.run import Run


class ServiceCall(ABC):
    """One call about `files` files. It is made again until it succeeds or is given up, where `repeats` says so."""

    files: int
    history: CallHistory
    repeats = True
    ticket: Ticket | None = None  # whose secrets an answer may quote
    partly_answered = False  # the service answered for some of the files, and the call is made again for the others

    @abstractmethod
    async def make(self) -> bool:
        """Make the call, and pass the files on by its answer. Return False where no file needed the call.

        Raises `ProblemError`, and `JournalError`.
        """

    async def note_failure(self, problem: Problem, now: float) -> None:
        """Add a failure, free of secrets, to the history. Raises `JournalError`."""
        self.history.note(problem, now)

    def halves(self) -> Sequence[ServiceCall]:
        """Return two calls for a part of the files each, or none where it passed all files on itself.

        Not asked of a call for one file.
        """
        raise NotImplementedError

    @abstractmethod
    def log_repetition(self, problem: Problem, seconds: float) -> None:
        """Log that the call failed, and is made again after a number of seconds."""

    @abstractmethod
    def give_up(self, state: FileState, problem: Problem) -> None:
        """Pass the files on as not uploaded, in `state`."""

    @abstractmethod
    def give_back(self) -> None:
        """Leave the files to the next run."""


class CallSource(Protocol):
    """Forms calls when there is room for them, besides those that are pushed."""

    def next_call(self, now: float) -> ServiceCall | None:
        """Return the call to begin now, None for none."""
        ...

    def next_due(self) -> float | None:
        """Return when to try `next_call` again, in monotonic seconds. None if no file waits for a call."""
        ...

    def call_answered(self) -> None:
        """Take note that a call has ended with an answer, and is no longer under way."""
        ...

    def give_back(self) -> None:
        """Leave the files that wait for a call to the next run."""
        ...


class ApiCalls:
    """Makes the calls of one stage, at most `most` at a time.

    `ever_answered` says that the service is known to answer; a service that never answered is given up sooner.
    """

    def __init__(
        self, run: Run, source: CallSource | None = None, *, most: int | None = None, ever_answered: bool = False
    ) -> None:
        self._run = run
        self._most = run.options.calls_in_flight if most is None else most
        self._source = source
        self._due: DelayQueue[ServiceCall] = DelayQueue()
        self._alarm = Alarm(run.timeout)
        self._ever_answered = ever_answered
        self._last_answer: float | None = None
        self.under_way = 0  # calls
        self.files_under_way = 0
        run.gates.api.on_room(self._alarm.wake)
        run.pause.on_resume(self._alarm.wake)

    @property
    def files_due(self) -> int:
        """Files of calls that wait for their time, or for room."""
        return sum(call.files for call in self._due)

    @property
    def answered(self) -> bool:
        """Whether the service has answered a call."""
        return self._ever_answered

    def push(self, call: ServiceCall, not_before: float = -math.inf) -> None:
        """Take a call to be made, not before a time (monotonic seconds)."""
        self._due.push(call, not_before)
        self._alarm.wake()

    def wake(self) -> None:
        """Look again: the source has a call, or a stop was requested."""
        self._alarm.wake()

    async def work(self) -> None:
        """Make calls until cancelled. Raises `JournalError`."""
        async with anyio.create_task_group() as tasks:
            while True:
                now = self._run.clock.monotonic()
                if self._run.stop.requested:
                    self._give_back()
                elif not self._run.pause.on:
                    self._start_calls(tasks, now)
                await self._alarm.wait(self._seconds_to_sleep(now))

    @property
    def _free(self) -> int:
        return self._most - self.under_way

    def _give_back(self) -> None:
        for call in self._due.drain():
            call.give_back()
        if self._source is not None:
            self._source.give_back()

    def _start_calls(self, tasks: TaskGroup, now: float) -> None:
        gate = self._run.gates.api
        if self._due:
            for due in self._due.pop_due(now, limit=gate.room(now, self._free)):
                self._start(tasks, due)
        if self._source is None or self._source.next_due() is None:
            return
        while self._free and gate.room(now) and (call := self._source.next_call(now)) is not None:
            self._start(tasks, call)

    def _start(self, tasks: TaskGroup, call: ServiceCall) -> None:
        self.under_way += 1
        self.files_under_way += call.files
        self._run.gates.api.begin(self)
        tasks.start_soon(self._make, call)

    async def _make(self, call: ServiceCall) -> None:
        run, files, problem, made = self._run, call.files, None, False
        begun = run.clock.monotonic()
        try:
            made = await call.make()
        except ProblemError as error:
            problem = redact(error.problem, run.provider, call.ticket)
        finally:
            self.under_way -= 1
            self.files_under_way -= files
            self._alarm.wake()
        if problem is None and not made:
            run.gates.api.withdraw()
            self._answered_source()
            return
        now = run.clock.monotonic()
        answered = problem is None or call.partly_answered
        of_the_service = problem is not None and (not answered or problem.kind is ProblemKind.THROTTLED)
        run.gates.api.end(problem if of_the_service else None, begun, now, run.random.random())
        if answered:
            self._last_answer, self._ever_answered = now, True
            self._answered_source()
        if problem is not None:
            await call.note_failure(problem, now)
            if run.cut_off.requested:
                call.give_back()
            elif call.repeats:
                self._carry_out(self._decide(call, problem, now), call, problem, now)

    def _answered_source(self) -> None:
        if self._source is not None:
            self._source.call_answered()

    def _decide(self, call: ServiceCall, problem: Problem, now: float) -> CallDecision:
        counts_from = self._run.pause.counts_from(now)
        situation = Situation(
            call.files,
            ever_answered=self._ever_answered,
            answered_since=call.history.answered_since(self._last_answer),
            outage=self._run.gates.api.outage(now, counts_from) is not None,
        )
        retry, chance = self._run.options.retry, self._run.random.random()
        return after_call(problem, call.history, situation, retry, now, chance, counts_from=counts_from)

    def _carry_out(self, decision: CallDecision, call: ServiceCall, problem: Problem, now: float) -> None:
        gate = self._run.gates.api
        if isinstance(decision, Again):
            at = gate.retries.retry_at(decision.at, now)
            call.log_repetition(problem, round(at - now, 2))
            self._run.counters.retries += 1
            self.push(call, at)
        elif isinstance(decision, Split):
            for half in call.halves():
                self.push(half, now)
        elif isinstance(decision, GiveUp):
            call.give_up(decision.state, problem)
        else:
            never_answered = not self._ever_answered
            plain_http = never_answered and self._run.provider.config.base_url.startswith("http:")
            self._run.stop.fail(fatal(problem, gate.outage(now), plain_http=plain_http))
            call.give_back()

    def _seconds_to_sleep(self, now: float) -> float | None:
        """Return the seconds until a call is due or the gate admits one. None if only `wake` can end the sleep."""
        if not self._free or self._run.pause.on:
            return None  # the end of a call wakes the loop, or that of the pause
        opens, due = self._run.gates.api.next_room(now, self), self._due.next_due()
        times = [] if due is None else [max(due, opens)]
        if self._source is not None and (waiting := self._source.next_due()) is not None:
            times += [opens, waiting]
        later = [time for time in times if time > now]
        return min(later) - now if later else None
