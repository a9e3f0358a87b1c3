"""The pool, with processes that are never started: attempts that wait, are cancelled, and are lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stage_world import StageRun
from test_throttle import Time

from bulkup.helpers.clock import SystemClock
from bulkup.helpers.secrets import SecretUrl
from bulkup.model.files import FoundFile, Identity, Source
from bulkup.model.items import Item, Ticketed
from bulkup.model.problems import Problem, ProblemKind
from bulkup.model.tickets import Receipt, Ticket
from bulkup.pipeline.options import SendOptions
from bulkup.pipeline.processes.jobs import ReportKind, Setup, report, report_problem
from bulkup.pipeline.processes.process_pool import ProcessPool, Result, shares
from bulkup.pipeline.processes.sending_process import Attempt, Callbacks, ProcessOptions, SendingProcess
from bulkup.pipeline.throttle import SharedThrottle
from bulkup.transport import TransportOptions

IDENTITY = Identity(4, 1, 1, 1, 1)


class Unstarted(SendingProcess):
    """Keeps its attempts, and reports those that are cancelled, unless it is `silent`."""

    def __init__(self, callbacks: Callbacks, options: ProcessOptions) -> None:
        super().__init__(callbacks, options)
        self.callbacks = callbacks
        self.silent = False
        self.given: list[int] = []  # the sizes of its messages
        self.limits: list[float | None] = []
        self.grants: list[int] = []

    async def start(self, setup: Setup) -> None:
        """Start nothing."""

    async def close(self) -> int:
        self.end()  # a process may end in the same instant
        return 0

    def become_ready(self) -> None:
        self.callbacks.ready(self)

    def end(self) -> None:
        self.callbacks.ended(self)

    def give(self, attempts: Sequence[Attempt]) -> None:
        self._idle.clear()
        self.given.append(len(attempts))
        self.attempts |= {attempt.number: attempt for attempt in attempts}

    def limit(self, rate: float | None) -> None:
        self.limits.append(rate)

    def grant(self, count: int) -> None:
        self.grants.append(count)

    def cancel(self) -> None:
        if not self.silent:
            reports = [report(number, 4, ReportKind.CANCELLED) for number in self.attempts]
            asyncio.get_running_loop().call_soon(self.callbacks.reports, self, ([], reports))


class Results:
    """The receiver of a pool."""

    def __init__(self) -> None:
        self.changes = self.bytes = 0
        self.results: list[Result] = []
        self.cancelled_attempts: list[Attempt] = []
        self.lost_attempts: list[Attempt] = []
        self.errors: list[RuntimeError] = []

    def pool_changed(self) -> None:
        self.changes += 1

    def progressed(self, attempt: Attempt, count: int) -> None:
        attempt.sent += count
        self.bytes += count

    def ended(self, results: Sequence[Result]) -> None:
        self.results += results

    def lost(self, attempts: Iterable[Attempt]) -> None:
        self.lost_attempts += attempts

    def cancelled(self, attempts: Iterable[Attempt]) -> None:
        self.cancelled_attempts += attempts

    def faulted(self, error: RuntimeError) -> None:
        self.errors.append(error)

    @property
    def kinds(self) -> list[ProblemKind]:
        """The kinds of problems, in the order of the attempts."""
        return [sent.kind for _, sent in self.results if isinstance(sent, Problem)]


@asynccontextmanager
async def pool_of(
    number: int | None, *, throttle: SharedThrottle | None = None, **options: float
) -> AsyncGenerator[tuple[ProcessPool, list[Unstarted], Results], None]:
    processes = list[Unstarted]()

    def make(callbacks: Callbacks, options: ProcessOptions) -> Unstarted:
        processes.append(Unstarted(callbacks, options))
        return processes[-1]

    setup = Setup("local", TransportOptions(1), SendOptions())
    made = ProcessPool(setup, SystemClock(), number, ProcessOptions(**options), make, throttle)  # type: ignore[arg-type]
    async with made as pool:
        pool.receiver = results = Results()
        yield pool, processes, results


def attempts(count: int, first: int = 0) -> list[Attempt]:
    ticket = Ticket(SecretUrl("https://s.example/1"), "id")
    file = Ticketed(Item(FoundFile(Source(b"/"), b"a", IDENTITY), ticket), ticket)
    return [Attempt(number, file, StageRun().gate, 0.0, 4) for number in range(first, first + count)]


async def test_attempts_wait_until_a_process_is_ready() -> None:
    async with pool_of(1) as (pool, (one,), results):
        pool.give(attempts(2))
        pool.give(attempts(1, 2))
        assert not one.given
        one.become_ready()
        assert one.given == [3]
        one.end()
        assert (len(results.lost_attempts), results.results) == (3, [])


async def test_each_process_gets_its_share_in_one_message() -> None:
    async with pool_of(2) as (pool, (one, other), _):
        one.become_ready()
        other.become_ready()
        pool.give(attempts(10))
        pool.give(attempts(4, 10))
        assert (one.given, other.given) == ([5, 2], [5, 2])


async def test_bytes_of_the_bandwidth_come_out_of_one_bucket() -> None:
    """Each process gets what it asked for, in its turn. A process that has ended gets nothing."""
    time = Time()
    throttle = SharedThrottle(time, call_later=time.call_later)
    async with pool_of(2, throttle=throttle) as (pool, (one, other), _):
        throttle.limit(1000.0)
        assert (one.limits, other.limits) == ([None, 1000.0], [None, 1000.0])
        pool.give([])
        for process, count in ((one, 60), (other, 30), (one, 10)):
            process.callbacks.reports(process, ([], [report(-1, count, ReportKind.BANDWIDTH)]))
        granted = list[tuple[list[int], list[int]]]()
        for _ in range(3):
            time.advance(0.0605 if not granted else 0.031)
            await asyncio.sleep(0)
            granted.append(([*one.grants], [*other.grants]))
        assert granted == [([60], []), ([60], [30]), ([60, 10], [30])]
        other.callbacks.reports(other, ([], [report(-1, 40, ReportKind.BANDWIDTH)]))
        other.end()
        time.advance(1.0)
        await asyncio.sleep(0)
        assert other.grants == [30]


async def test_results_of_a_message_arrive_together() -> None:
    """Receipts and problems, with the bytes that were sent. Reports of attempts that are unknown by now are dropped."""
    async with pool_of(1) as (pool, (one,), results):
        one.become_ready()
        made = attempts(4)
        pool.give(made)
        problem = Problem(ProblemKind.THROTTLED, "later", 3.0)
        reports = [report_problem(1, 2, problem), report(2, 3, ReportKind.PROGRESS), report(99, 1, ReportKind.PROGRESS)]
        one.callbacks.reports(one, ([(0, b"x" * 16), (98, b"y" * 16)], reports))
        (first, receipt), second = results.results
        assert first is made[0]
        assert isinstance(receipt, Receipt)
        assert (receipt.identity, receipt.verified) == (IDENTITY, True)
        assert second == (made[1], problem)
        assert [attempt.sent for attempt in made] == [4, 2, 3, 0]
        assert sorted(one.attempts) == [2, 3]


async def test_cancelled_attempts_count_to_their_last_report() -> None:
    """Results that arrive meanwhile do not count; attempts that were not given are cancelled at once."""
    async with pool_of(1) as (pool, (one,), results):
        pool.give(attempts(1))
        one.become_ready()
        pool.give(attempts(2, 1))
        await pool.cancel()
        assert (len(results.cancelled_attempts), results.bytes, one.attempts) == (3, 12, {})
    async with pool_of(1) as (pool, (one,), results):
        pool.give(attempts(2))
        await pool.cancel()
        assert (len(results.cancelled_attempts), results.results) == (2, [])


async def test_a_process_that_does_not_report_a_cancellation_is_not_waited_for() -> None:
    async with pool_of(1, cancel_timeout=0.01) as (pool, (one,), results):
        one.become_ready()
        one.silent = True
        pool.give(attempts(2))
        await pool.cancel()
        assert len(results.cancelled_attempts) == 2
        one.callbacks.reports(one, ([(0, b"x" * 16)], [report(1, 4, ReportKind.CANCELLED)]))
        assert (len(results.cancelled_attempts), results.results) == (2, [])


async def test_after_three_losses_attempts_fail() -> None:
    async with pool_of(3) as (pool, processes, results):
        pool.give(attempts(1))
        for process in list(processes):
            process.end()
        assert results.kinds == [ProblemKind.MACHINE]
        pool.give(attempts(1))
        assert results.kinds == [ProblemKind.MACHINE] * 2


async def test_without_a_fixed_number_attempts_wait_for_no_process() -> None:
    """They are lost with the processes, and are made again in this process."""
    async with pool_of(None) as (pool, processes, results):
        await pool.start(1)
        assert not pool.takes
        processes[0].become_ready()
        assert (pool.takes, results.changes) == (True, 1)
        pool.give(attempts(2))
        processes[0].end()
        assert (pool.takes, pool.broken) == (False, True)
        pool.give(attempts(1, 2))
        assert (len(results.lost_attempts), results.results) == (3, [])


async def test_an_error_of_the_program_is_passed_on() -> None:
    async with pool_of(1) as (pool, (one,), results):
        one.become_ready()
        pool.give(attempts(1))
        one.callbacks.reports(one, ([], [report(0, 0, ReportKind.FAULT, "ValueError in a sending process")]))
        assert [str(error) for error in results.errors] == ["ValueError in a sending process"]


async def test_a_process_that_is_being_closed_is_not_lost() -> None:
    """Its end is reported once more while it is closed."""
    async with pool_of(2) as (pool, (one, _), _):
        one.become_ready()
        await pool.withdraw()
        assert not pool.broken
    async with pool_of(1) as (pool, (one,), _):
        one.end()
        assert pool.broken


@given(st.integers(0, 100), st.lists(st.integers(0, 100), min_size=1, max_size=8).map(sorted))
def test_shares_even_out_the_loads(count: int, loads: list[int]) -> None:
    given_to = shares(count, loads)
    after = [load + share for load, share in zip(loads, given_to, strict=True)]
    assert sum(given_to) == count
    assert min(given_to) >= 0
    level = -(-sum(after) // len(after))
    assert all(share == 0 or load <= level for load, share in zip(after, given_to, strict=True))


@pytest.mark.parametrize("loads", [[0, 0], [3, 3], [0, 5]])
def test_few_attempts_go_to_one_process(loads: list[int]) -> None:
    """Then the attempts of one turn of the loop mostly share a message."""
    assert shares(1, loads) == [1, 0]
    assert shares(4, [0, 8]) == [4, 0]
