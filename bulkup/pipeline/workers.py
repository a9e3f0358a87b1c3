"""The bounded pool that sends. A worker makes one attempt at a time and never sleeps: what failed goes back with a
time, and its slot serves another file meanwhile.
"""

from __future__ import annotations

import anyio
import structlog

from bulkup.model.items import Item, Outcome
from bulkup.model.log_events import LogEvent
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.model.states import FileState
from bulkup.pipeline.batcher import Batcher
from bulkup.pipeline.closer import Closer
from bulkup.pipeline.files.opening import CHUNK
from bulkup.pipeline.options import LARGE
from bulkup.pipeline.policy.fatal import fatal
from bulkup.pipeline.policy.host_gate import HostGate
from bulkup.pipeline.policy.redaction import redact
from bulkup.pipeline.policy.retry import (
    Again,
    AttemptDecision,
    EndRun,
    GiveUp,
    LookAgain,
    Renew,
    after_attempt,
    after_lapse,
)
from bulkup.pipeline.rechecker import Rechecker
from bulkup.pipeline.recorder import Recorder
from bulkup.pipeline.run import Run
from bulkup.pipeline.send.attempt import Count, FileSender

_log = structlog.get_logger("bulkup.workers")
_RAN_OUT = Problem(ProblemKind.EXPIRED, "its upload URL ran out before it could be used")


class Workers:
    """The pool's shared part; `work` is run once per worker."""

    def __init__(
        self,
        run: Run,
        batcher: Batcher,
        recorder: Recorder,
        confirmer: Closer,
        second_look: Rechecker,
        sender: FileSender,
    ) -> None:
        self._run = run
        self._batcher = batcher
        self._recorder = recorder
        self._confirmer = confirmer
        self._second_look = second_look
        self._sender = sender

    async def work(self, number: int) -> None:
        """Send one file after the other until cancelled; `number` counts the workers from 0."""
        slots = self._run.slots
        while True:
            if number >= slots.wanted:
                await slots.stand_aside(number)
            item = await self._next()
            assert item.ticket is not None
            now, gate = self._run.clock.monotonic(), self._run.gates.storage(item.ticket.url)
            if self._run.stop.requested:
                self._batcher.begun(now)
                self._recorder.give_back(item)
            elif not gate.room(now):
                self._batcher.hold(item, gate)
            else:
                self._batcher.begun(now)
                await self._begin(item, gate, now)

    async def _next(self) -> Item:
        # Waiting for what is there already would cost a turn of the loop for every file.
        try:
            return self._batcher.ready.receive_nowait()
        except anyio.WouldBlock:
            return await self._batcher.ready.receive()

    async def _begin(self, item: Item, gate: HostGate, now: float) -> None:
        if item.renew_at is not None and now >= item.renew_at:
            item.history.lapses += 1
            self._carry_out(after_lapse(item.history, self._run.options.retry), item, _RAN_OUT)
            return
        self._run.slots.begin()
        problem = await self._attempt(item, gate)
        self._run.slots.end(item.file.identity.size, taken=problem is None)
        self._batcher.sent(self._run.clock.monotonic())
        if problem is not None:
            self._after(item, redact(problem, self._run.provider, item.ticket), gate)

    async def _attempt(self, item: Item, gate: HostGate) -> Problem | None:
        item.history.attempts += 1
        held = min(item.file.identity.size, 2 * CHUNK)
        await self._run.memory.take(held)
        meter = _Meter(self._run, item)
        try:
            problem = await self._send(item, meter.count, gate)
            if problem is None:
                await self._accepted(item)
            return problem
        finally:
            meter.close()
            self._run.memory.give(held)

    async def _send(self, item: Item, count: Count, gate: HostGate) -> Problem | None:
        begun = self._run.clock.monotonic()
        gate.begin()
        try:
            problem = await self._sender.send(item, count)
        except ProblemError as error:
            problem = error.problem
        now, was_open = self._run.clock.monotonic(), gate.closed_until
        gate.end(problem, begun, now, self._run.random.random())
        if problem is not None and gate.closed_until > max(was_open, now):
            reason = redact(problem, self._run.provider, item.ticket).message
            _log.warning(LogEvent.STORAGE_PAUSED, reason=reason, seconds=round(gate.closed_until - now, 2))
        return problem

    async def _accepted(self, item: Item) -> None:
        # The slot is free again only when the row is on disk: what a kill makes us send twice is then no more than
        # there are workers, however fast they are and however slow the disk.
        if self._run.provider.capabilities.confirms:
            await self._recorder.stored([item])
            self._confirmer.add(item)
        else:
            assert item.receipt is not None
            state = FileState.UPLOADED if item.receipt.verified else FileState.UNVERIFIED
            await self._recorder.record(Outcome(item, state))

    def _after(self, item: Item, problem: Problem, gate: HostGate) -> None:
        now = self._run.clock.monotonic()
        item.history.note(problem, now)
        outage, policy, chance = gate.outage(now), self._run.options.retry, self._run.random.random()
        decision = after_attempt(problem, item.history, policy, now, chance, outage=outage is not None)
        _log.debug(LogEvent.ATTEMPT_FAILED, path=item.file.name, reason=problem.message, next=type(decision).__name__)
        if isinstance(decision, Again):
            decision = Again(gate.retries.retry_at(decision.at, now))
        item.history.renewals += isinstance(decision, Renew)
        self._carry_out(decision, item, problem, outage)

    def _carry_out(self, decision: AttemptDecision, item: Item, problem: Problem, outage: float | None = None) -> None:
        if isinstance(decision, Again):
            self._run.counters.retries += 1
            self._batcher.retry(item, decision.at)
        elif isinstance(decision, Renew):
            self._batcher.renew(item)
        elif isinstance(decision, LookAgain):
            self._second_look.add(item, problem, decision.at)
        elif isinstance(decision, GiveUp):
            self._confirmer.give_up(Outcome(item, decision.state, problem))
        elif isinstance(decision, EndRun):
            self._run.stop.fail(fatal(problem, outage))
            self._recorder.give_back(item)


class _Meter:
    """Counts the bytes of one attempt, so that they can be taken off the progress when it ends.

    It begins with what earlier attempts sent and this one need not.
    """

    __slots__ = ("_counters", "_large", "_sent", "_slots")

    def __init__(self, run: Run, item: Item) -> None:
        self._counters = run.counters
        self._slots = run.slots
        self._large = item.file.identity.size > LARGE
        self._sent = item.sent.bytes if item.sent is not None else 0
        self._counters.bytes_moving += self._sent

    def count(self, count: int) -> None:
        self._sent += count
        self._counters.bytes_sent += count
        self._counters.bytes_moving += count
        if self._large:
            self._slots.bytes += count

    def close(self) -> None:
        self._counters.bytes_moving -= self._sent
