"""Groups files into presign calls, and keeps what has to wait: retries, renewals, groups that are asked for again.

`leases.group_size` decides when to ask and for how many, `retry.after_call` what a failed call means; this module owns
the queues and the calls under way. A call that fails never fails a file by itself: it is made again, or, where the
service says that one of the group is at fault, in halves.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import anyio
import structlog
from anyio.abc import TaskGroup

from bulkup.helpers.delay_queue import DelayQueue
from bulkup.model.history import CallHistory
from bulkup.model.items import Item, Outcome
from bulkup.model.log_events import LogEvent
from bulkup.model.problems import Problem, ProblemError
from bulkup.pipeline.held import Held
from bulkup.pipeline.policy.fatal import fatal
from bulkup.pipeline.policy.host_gate import HostGate
from bulkup.pipeline.policy.retry import (
    Again,
    CallDecision,
    GiveUp,
    Situation,
    Split,
    after_call,
)
from bulkup.pipeline.presign.leases import Demand, Throughput, first_group_size, group_size
from bulkup.pipeline.presign.request import ask, lease
from bulkup.pipeline.recorder import Recorder
from bulkup.pipeline.run import Run

_log = structlog.get_logger("bulkup.batcher")


@dataclass(slots=True)
class _Group:
    items: Sequence[Item]
    history: CallHistory = field(default_factory=CallHistory)


class Batcher:
    """One loop that decides, and a task a call. What enters through its methods never blocks."""

    def __init__(self, run: Run, recorder: Recorder, no_more: Callable[[], bool]) -> None:
        """`no_more` says whether every file that can still come has come, renewals apart."""
        self._run = run
        self._no_more = no_more
        self._recorder = recorder
        self._fresh: deque[tuple[float, Item]] = deque()
        self._waiting: DelayQueue[Item] = DelayQueue()
        self._again: DelayQueue[_Group] = DelayQueue()
        self._held = Held(self.wake)
        self._calls = self._asked = self._unused = 0
        self._wants_room = False
        self._last_answer: float | None = None
        self._lease: float | None = None
        self._throughput = Throughput()
        self._wake = anyio.Event()
        run.gates.api.on_room(self.wake)
        self._send, self.ready = anyio.create_memory_object_stream[Item](run.options.in_flight)

    @property
    def depths(self) -> dict[str, int]:
        """Files by where they wait: for a group, for an answer, for a worker, for their time to come again."""
        again = sum(len(group.items) for group in self._again)
        return {
            "grouping": len(self._fresh),
            "asking": self._asked,
            "ready": self._unused - len(self._held),
            "waiting": len(self._waiting) + again + len(self._held),
        }

    @property
    def held(self) -> int:
        """Files with a ticket whose host has no room for them."""
        return len(self._held)

    def add(self, item: Item) -> None:
        """Take a file that needs a ticket."""
        self._fresh.append((self._run.clock.monotonic(), item))
        if len(self._fresh) >= self._run.options.batch_size or len(self._fresh) == 1:
            self._wake.set()

    def resume(self, item: Item) -> None:
        """Take a file with a ticket of an earlier run."""
        assert item.ticket is not None
        lease(self._run, item, item.ticket)
        self._run.counters.reused_tickets += 1
        self._to_workers(item)

    def renew(self, item: Item) -> None:
        """Take a file whose ticket is no longer good; it goes first, for it has waited already."""
        self._run.counters.presign_renewed += 1
        # With the age of the one it passes, which would otherwise begin to wait anew.
        since = self._fresh[0][0] if self._fresh else self._run.clock.monotonic()
        self._fresh.appendleft((since, item))
        self._wake.set()

    def retry(self, item: Item, not_before: float) -> None:
        """Take a file that goes back to the workers with the ticket it has, not before a time (monotonic)."""
        self._waiting.push(item, not_before)
        self._wake.set()

    def begun(self, now: float) -> None:
        """Note that a worker began with a file: there is room for one more ticket."""
        self._unused -= 1
        self._throughput.begin(now)
        if self._wants_room:
            self._wake.set()

    def sent(self, now: float) -> None:
        """Note that a worker is done with a file, for this time."""
        self._throughput.count(now)

    def hold(self, item: Item, gate: HostGate) -> None:
        """Take a file back that its host has no room for now; it stays ready."""
        self._held.add(item, gate)
        self._wake.set()

    def wake(self) -> None:
        """Look again: the scan has ended, a host has room, or the run is to stop."""
        self._wake.set()

    async def work(self) -> None:
        """Decide and ask until cancelled. Raises `JournalError`."""
        async with anyio.create_task_group() as calls:
            while True:
                self._wake = anyio.Event()
                now = self._run.clock.monotonic()
                for item in self._waiting.pop_due(now):
                    self._to_workers(item)
                for item in self._held.pop_admitted(now):
                    self._send.send_nowait(item)
                if self._run.stop.requested:
                    self._give_back()
                else:
                    self._start_calls(calls, now)
                with anyio.move_on_after(self._seconds_to_sleep(now)):
                    await self._wake.wait()

    def close(self) -> None:
        """Close the queue to the workers."""
        self._send.close()
        self.ready.close()

    def _to_workers(self, item: Item) -> None:
        self._unused += 1
        self._send.send_nowait(item)

    def _start_calls(self, calls: TaskGroup, now: float) -> None:
        self._wants_room = False
        if not self._again and not self._fresh:
            return
        gate = self._run.gates.api
        free = gate.room(now, self._run.options.calls_in_flight - self._calls)
        for group in self._again.pop_due(now, limit=free):
            self._start(calls, group)
        while gate.room(now) and (size := group_size(self._demand(now))):
            self._start(calls, _Group([self._fresh.popleft()[1] for _ in range(size)]))
        self._wants_room = bool(self._fresh)

    def _start(self, calls: TaskGroup, group: _Group) -> None:
        self._calls += 1
        self._asked += len(group.items)
        self._run.gates.api.begin()
        calls.start_soon(self._call, group)

    def _demand(self, now: float) -> Demand:
        options, workers = self._run.options, self._run.slots.wanted
        return Demand(
            fresh=len(self._fresh),
            modest=first_group_size(self._sizes(), workers) if self._last_answer is None else None,
            oldest_age=now - self._fresh[0][0] if self._fresh else 0.0,
            scan_done=self._no_more(),
            unused=self._unused,
            asked=self._asked,
            calls=self._calls,
            workers=workers,
            batch_size=options.batch_size,
            calls_in_flight=options.calls_in_flight,
            group_age=options.group_age,
            answered=self._last_answer is not None,
            lease=self._lease,
            rate=self._throughput.rate(now),
        )

    def _sizes(self) -> Sequence[int]:
        return [item.file.identity.size for _, item in itertools.islice(self._fresh, self._run.options.batch_size)]

    async def _call(self, group: _Group) -> None:
        begun = self._run.clock.monotonic()
        try:
            ticketed = await ask(self._run, self._recorder, group.items)
        except ProblemError as error:
            self._ended(begun, error.problem)
            self._failed(group, error.problem)
        else:
            self._last_answer = self._ended(begun, None)
            self._learn_lease(ticketed)
            for item in ticketed:
                self._to_workers(item)
        finally:
            self._calls -= 1
            self._asked -= len(group.items)
            self._wake.set()

    def _ended(self, begun: float, problem: Problem | None) -> float:
        now = self._run.clock.monotonic()
        self._run.gates.api.end(problem, begun, now, self._run.random.random())
        return now

    def _learn_lease(self, ticketed: Sequence[Item]) -> None:
        now = self._run.clock.monotonic()
        leases = [item.renew_at - now for item in ticketed if item.renew_at is not None]
        self._lease = min(leases, default=None)

    def _failed(self, group: _Group, problem: Problem) -> None:
        now, history = self._run.clock.monotonic(), group.history
        history.note(problem, now)
        last, outage = self._last_answer, self._run.gates.api.outage(now)
        situation = Situation(
            len(group.items),
            ever_answered=last is not None,
            answered_since=history.answered_since(last),
            outage=outage is not None,
        )
        chance = self._run.random.random()
        decision = after_call(problem, history, situation, self._run.options.retry, now, chance)
        self._carry_out(decision, group, problem, now)

    def _carry_out(self, decision: CallDecision, group: _Group, problem: Problem, now: float) -> None:
        if isinstance(decision, Again):
            at = self._run.gates.api.retries.retry_at(decision.at, now)
            _log.warning(LogEvent.PRESIGN_FAILED, reason=problem.message, again_in=round(at - now, 2))
            self._run.counters.retries += 1
            self._again.push(group, at)
        elif isinstance(decision, Split):
            middle = len(group.items) // 2
            for half in (group.items[:middle], group.items[middle:]):
                self._again.push(_Group(half), now)
        elif isinstance(decision, GiveUp):
            for item in group.items:
                self._recorder.settle(Outcome(item, decision.state, problem))
        else:
            self._run.stop.fail(fatal(problem, self._run.gates.api.outage(now)))
            self._recorder.give_back_all(group.items)

    def _give_back(self) -> None:
        self._recorder.give_back_all([item for _, item in self._fresh])
        self._fresh.clear()
        self._recorder.give_back_all(self._waiting.drain())
        for group in self._again.drain():
            self._recorder.give_back_all(group.items)
        self._unused -= len(self._held)
        self._recorder.give_back_all(self._held.drain())

    def _seconds_to_sleep(self, now: float) -> float | None:
        """Return how long nothing can become due by itself, None for ever."""
        times = [self._waiting.next_due(), self._again.next_due() if self._calls_free else None]
        if self._fresh or self._again:
            times.append(self._run.gates.api.closed_until)
        if self._fresh:
            times.append(self._fresh[0][0] + self._run.options.group_age)
        times += self._held.opening_times()
        later = [time for time in times if time is not None and time > now]
        return min(later) - now if later else None

    @property
    def _calls_free(self) -> bool:
        return self._calls < self._run.options.calls_in_flight
