"""The pool without processes: attempts that wait, are cancelled, and are lost."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from bulkup.helpers.clock import SystemClock
from bulkup.helpers.secrets import SecretUrl
from bulkup.model.files import UNKNOWN_IDENTITY, FoundFile, Source
from bulkup.model.items import Item
from bulkup.model.problems import Problem, ProblemKind
from bulkup.model.tickets import Ticket
from bulkup.pipeline.options import SendOptions
from bulkup.pipeline.processes.jobs import Came, Setup, report
from bulkup.pipeline.processes.process_pool import ProcessPool
from bulkup.pipeline.processes.sending_process import Attempt, Calls, SendingProcess
from bulkup.pipeline.send.attempt import Count
from bulkup.transport import TransportOptions


class Unstarted(SendingProcess):
    """Keeps what it is given, and is told of what is cancelled."""

    def __init__(self, calls: Calls) -> None:
        super().__init__(calls)
        self.cancelled: list[int] = []

    def give(self, attempts: Sequence[Attempt]) -> None:
        for attempt in attempts:
            attempt.process = self
            self.attempts[attempt.number] = attempt

    def cancel(self, attempt: Attempt) -> None:
        self.cancelled.append(attempt.number)
        said = [report(attempt.number, 4, Came.CANCELLED)]
        asyncio.get_running_loop().call_soon(self._calls.reports, self, said)


class Own:
    async def send(self, item: Item, count: Count) -> Problem | None:
        raise AssertionError


def pool_of(number: int) -> tuple[ProcessPool, list[Unstarted]]:
    pool = ProcessPool(Own(), Setup("local", TransportOptions(1), SendOptions()), SystemClock(), 2)
    processes = [Unstarted(pool._calls) for _ in range(number)]
    pool._processes.extend(processes)
    return pool, processes


def sending(pool: ProcessPool, count: Count = lambda _: None) -> asyncio.Task[Problem | None]:
    item = Item(FoundFile(Source(b"/"), b"a", UNKNOWN_IDENTITY), Ticket(SecretUrl("https://s.example/1"), "id"))
    return asyncio.create_task(pool.send(item, count))


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_attempts_wait_until_a_process_is_ready() -> None:
    pool, (one,) = pool_of(1)
    tasks = [sending(pool) for _ in range(3)]
    await turns()
    assert not one.attempts
    pool._add(one)
    assert len(one.attempts) == 3
    pool._lose(one)
    problems = [await task for task in tasks]
    assert {problem.kind for problem in problems if problem is not None} == {ProblemKind.TRANSIENT}


@pytest.mark.parametrize("given", [False, True])
async def test_an_attempt_that_is_cancelled(given: bool) -> None:
    """One that nobody has yet is simply left out; of another one the bytes that went count to the last."""
    pool, (one,) = pool_of(1)
    if given:
        pool._add(one)
    counted = list[int]()
    task = sending(pool, counted.append)
    await turns()
    assert len(one.attempts) == given
    task.cancel()
    await turns()
    assert task.cancelled()
    assert (one.cancelled, counted, one.attempts, pool._outbox) == ([0] * given, [4] * given, {}, [])


async def test_the_third_that_ends_is_the_last() -> None:
    pool, processes = pool_of(3)
    waiting = sending(pool)
    await turns()
    for process in processes:
        pool._lose(process)
    problem = await waiting
    assert problem is not None
    assert problem.kind is ProblemKind.MACHINE
    assert (later := await sending(pool)) is not None
    assert later.kind is ProblemKind.MACHINE


async def test_one_that_is_being_ended_is_not_lost() -> None:
    """It may end by itself in the same instant."""
    pool, (one, other) = pool_of(2)
    pool._processes.remove(one)
    pool._lose(one)
    assert not pool.broken
    pool._lose(other)
    assert pool.broken
