"""The pool, with processes that are never started: attempts that wait, are cancelled, and are lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.helpers.clock import SystemClock
from bulkup.helpers.secrets import SecretUrl
from bulkup.model.files import UNKNOWN_IDENTITY, FoundFile, Source
from bulkup.model.items import Item, Ticketed
from bulkup.model.problems import Problem, ProblemKind
from bulkup.model.tickets import Receipt, Ticket
from bulkup.pipeline.options import SendOptions
from bulkup.pipeline.processes.jobs import ReportKind, Setup, report
from bulkup.pipeline.processes.process_pool import ProcessPool, shares
from bulkup.pipeline.processes.sending_process import Attempt, Callbacks, ProcessOptions, SendingProcess
from bulkup.pipeline.send.attempt import Count
from bulkup.transport import TransportOptions

URL = SecretUrl("https://s.example/1")


class Unstarted(SendingProcess):
    """Keeps its attempts, and reports those that are cancelled."""

    def __init__(self, callbacks: Callbacks, options: ProcessOptions) -> None:
        super().__init__(callbacks, options)
        self.callbacks = callbacks
        self.cancelled: list[int] = []

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
        for attempt in attempts:
            attempt.process = self
            self.attempts[attempt.number] = attempt

    def cancel(self, attempt: Attempt) -> None:
        self.cancelled.append(attempt.number)
        reports = [report(attempt.number, 4, ReportKind.CANCELLED)]
        asyncio.get_running_loop().call_soon(self.callbacks.reports, self, reports)


RECEIPT = Receipt(None, UNKNOWN_IDENTITY, None, True, 7.0)


class Own:
    """The sender of this process; keeps the files that it gets."""

    def __init__(self) -> None:
        self.files: list[Ticketed] = []

    async def send(self, file: Ticketed, count: Count) -> Receipt | Problem:
        self.files.append(file)
        return RECEIPT


@asynccontextmanager
async def pool_of(number: int, own: Own | None = None) -> AsyncGenerator[tuple[ProcessPool, list[Unstarted]], None]:
    processes = list[Unstarted]()

    def make(callbacks: Callbacks, options: ProcessOptions) -> Unstarted:
        processes.append(Unstarted(callbacks, options))
        return processes[-1]

    setup = Setup("local", TransportOptions(1), SendOptions())
    async with ProcessPool(own or Own(), setup, SystemClock(), number, ProcessOptions(), make) as pool:
        yield pool, processes


def sending(pool: ProcessPool, count: Count = lambda _: None) -> asyncio.Task[Receipt | Problem]:
    return asyncio.create_task(pool.send(file_with(Ticket(URL, "id")), count))


def file_with(ticket: Ticket) -> Ticketed:
    return Ticketed(Item(FoundFile(Source(b"/"), b"a", UNKNOWN_IDENTITY), ticket), ticket)


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_attempts_wait_until_a_process_is_ready() -> None:
    async with pool_of(1) as (pool, (one,)):
        tasks = [sending(pool) for _ in range(3)]
        await turns()
        assert not one.attempts
        one.become_ready()
        assert len(one.attempts) == 3
        one.end()
        problems = [await task for task in tasks]
    assert {problem.kind for problem in problems if isinstance(problem, Problem)} == {ProblemKind.TRANSIENT}


async def test_an_attempt_cancelled_before_a_process_is_ready_is_never_given() -> None:
    async with pool_of(1) as (pool, (one,)):
        task = sending(pool)
        await turns()
        task.cancel()
        await turns()
        assert task.cancelled()
        one.become_ready()
        await turns()
        assert (one.cancelled, one.attempts) == ([], {})


async def test_bytes_of_a_cancelled_attempt_count_to_the_last() -> None:
    async with pool_of(1) as (pool, (one,)):
        one.become_ready()
        counted = list[int]()
        task = sending(pool, counted.append)
        await turns()
        assert len(one.attempts) == 1
        task.cancel()
        await turns()
        assert task.cancelled()
        assert (one.cancelled, counted, one.attempts) == ([0], [4], {})


async def test_after_three_losses_attempts_fail() -> None:
    async with pool_of(3) as (pool, processes):
        waiting = sending(pool)
        await turns()
        for process in list(processes):
            process.end()
        problem = await waiting
        assert isinstance(problem, Problem)
        assert problem.kind is ProblemKind.MACHINE
        later = await sending(pool)
    assert isinstance(later, Problem)
    assert later.kind is ProblemKind.MACHINE


async def test_a_process_that_is_being_closed_is_not_lost() -> None:
    """Its end is reported once more while it is closed."""
    async with pool_of(2) as (pool, (one, _)):
        one.become_ready()
        await pool.withdraw()
        assert not pool.broken
    async with pool_of(1) as (pool, (one,)):
        one.end()
        assert pool.broken


async def test_files_in_parts_are_sent_by_this_process() -> None:
    """Their MD5 in progress cannot move to another process."""
    own = Own()
    async with pool_of(2, own) as (pool, _):
        file = file_with(Ticket(URL, "id", more_urls=(URL,)))
        assert await pool.send(file, lambda _: None) is RECEIPT
    assert own.files == [file]


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
