"""The dispatcher: which files a pool gets, and where they go after their attempts."""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, cast

import anyio
import pytest
from stage_world import FakeSender, Passed, StageRun, found, receipt, settled, ticket

from bulkup.model.items import Item, Outcome, Stored, Ticketed
from bulkup.model.problems import Problem, ProblemKind
from bulkup.model.states import FileState
from bulkup.model.tickets import Receipt, Ticket
from bulkup.pipeline.dispatcher import Dispatcher
from bulkup.pipeline.files.opening import CHUNK
from bulkup.pipeline.policy.host_gate import HostGate
from bulkup.pipeline.processes.process_pool import ProcessPool, Receiver
from bulkup.pipeline.processes.sending_process import Attempt
from bulkup.pipeline.worker_limit import WorkerLimit
from bulkup.pipeline.workers import Workers


class FakePool:
    """Keeps the groups of attempts that it gets."""

    def __init__(self) -> None:
        self.receiver: Receiver
        self.takes = True
        self.groups: list[list[Attempt]] = []
        self.cancelled = False

    def give(self, attempts: Sequence[Attempt]) -> None:
        self.groups.append(list(attempts))

    async def cancel(self) -> None:
        self.cancelled = True

    def end(self, *sent: Receipt | Problem) -> None:
        """End the attempts of the first group that was not ended, each with one of these results."""
        group, self.groups[0] = self.groups[0], []
        self.groups.pop(0)
        self.receiver.ended(list(zip(group, sent, strict=True)))


class DispatcherStage(StageRun):
    """The dispatcher alone, with workers for files that this process sends."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.passed = Passed(self.events)
        self.pool, self.sender = FakePool(), FakeSender()
        self.waiting: deque[Ticketed] = deque()
        self.wake: Callable[[], None] | None = None
        self.passed.routes.take_now = self._take_now
        self.passed.routes.dispatch_by = self._dispatch_by
        workers = Workers(self.run, self.passed.routes, self.sender)
        self.dispatcher = Dispatcher(self.run, self.passed.routes, cast("ProcessPool", self.pool), workers)

    def _dispatch_by(self, wake: Callable[[], None]) -> None:
        self.wake = wake
        wake()

    def _take_now(self) -> tuple[Ticketed, HostGate] | None:
        if not self.waiting:
            return None
        self.gate.begin()
        return self.waiting.popleft(), self.gate

    def add(self, *sizes: int, parts: int = 1) -> list[Ticketed]:
        """Have files of these sizes wait."""
        files = [
            Ticketed(Item(found(b"%d.mp4" % n, size)), _ticket(n, parts), asked_at=0.0) for n, size in enumerate(sizes)
        ]
        self.waiting += files
        if self.wake is not None:
            self.wake()
        return files

    def work(self) -> Any:
        return self.working(self.dispatcher.work)

    @property
    def given(self) -> list[int]:
        return [len(group) for group in self.pool.groups]


def _ticket(number: int, parts: int) -> Ticket:
    one = ticket(f"id-{number}")
    return one._replace(more_urls=(one.url,) * (parts - 1))


async def test_files_that_wait_leave_together_up_to_the_limit() -> None:
    """A place is free again when the row is on disk. So a kill sends no more files twice than there are workers."""
    stage = DispatcherStage(concurrency=4)
    stage.add(*[1] * 7)
    async with stage.work():
        await settled()
        assert stage.given == [4]
        stage.passed.held = anyio.Event()
        stage.pool.end(*[receipt()] * 4)
        await settled()
        assert (stage.given, stage.events, stage.run.worker_limit.busy) == ([], ["record"] * 4, 4)
        stage.passed.held.set()
        await settled()
        assert (stage.given, stage.run.worker_limit.busy, stage.run.worker_limit.files) == ([3], 3, 4)


async def test_the_receipts_of_a_message_are_recorded_by_one_call() -> None:
    stage = DispatcherStage(concurrency=8)
    files = stage.add(1, 1, 1)
    async with stage.work():
        await settled()
        stage.pool.end(receipt(), receipt(verified=False), Problem(ProblemKind.TRANSIENT, "lost"))
        await settled()
        name, value = stage.passed.values[0]
        assert (name, value[0]) == ("retry", files[2])
        states = [FileState.UPLOADED, FileState.UNVERIFIED]
        outcomes = [Outcome(file.item, state) for file, state in zip(files, states, strict=False)]
        assert stage.passed.through("record") == outcomes
        assert (stage.gate.under_way, stage.run.memory.outstanding, stage.run.worker_limit.busy) == (0, 0, 0)
        assert [file.item.history.attempts for file in files] == [1, 1, 1]


async def test_receipts_are_on_disk_before_the_closing_calls_are_due() -> None:
    stage, taken = DispatcherStage(concurrency=8), receipt()
    stage.provider.can(confirms=True)
    files = stage.add(1, 1)
    async with stage.work():
        await settled()
        stage.pool.end(taken, taken)
        await settled()
        assert stage.events == ["stored", "close", "close"]
        assert stage.journal.arguments == [([file.item for file in files],)]
        assert stage.passed.through("close") == [Stored(file.item, file.ticket, taken) for file in files]


async def test_only_files_whose_ticket_asks_for_it_get_a_closing_call() -> None:
    stage, taken = DispatcherStage(concurrency=8), receipt()
    stage.provider.can(confirms=True)
    files = stage.add(1, 1, 1)
    stage.provider.closes = lambda ticket: ticket is files[1].ticket  # type: ignore[method-assign]
    async with stage.work():
        await settled()
        stage.pool.end(taken, taken, taken)
        await settled()
        assert stage.journal.arguments == [([files[1].item],)]
        assert stage.passed.through("close") == [Stored(files[1].item, files[1].ticket, taken)]
        assert stage.passed.through("record") == [Outcome(files[n].item, FileState.UPLOADED) for n in (0, 2)]
        assert stage.run.worker_limit.busy == 0


async def test_files_wait_for_memory() -> None:
    """The others of their group do not wait for them."""
    stage = DispatcherStage(concurrency=8, memory=2 * CHUNK + 10)
    stage.add(100 * CHUNK, 10, CHUNK)
    async with stage.work():
        await settled()
        assert stage.given == [2]
        stage.pool.end(receipt(), receipt())
        await settled()
        assert (stage.given, stage.run.memory.outstanding, stage.run.worker_limit.busy) == ([1], CHUNK, 1)


async def test_a_raised_limit_admits_files_at_once() -> None:
    stage = DispatcherStage(concurrency=8, adaptive=True)
    stage.run.worker_limit.want(1)
    stage.add(1, 1, 1)
    async with stage.work():
        await settled()
        stage.run.worker_limit.want(3)
        await settled()
        assert stage.given == [1, 2]


async def test_a_worker_that_stands_aside_leaves_its_slot_to_the_processes() -> None:
    """It may be the last one, where the limit was lowered before the first process was ready."""
    stage = DispatcherStage(concurrency=2, adaptive=True)
    limit = stage.run.worker_limit
    limit.want(2)
    limit.begin(0.0, 1)
    limit.want(1)
    stage.add(1)
    async with stage.working(stage.dispatcher.work, functools.partial(_last_of_a_worker, limit)):
        await settled()
        assert stage.given == [1]


async def _last_of_a_worker(limit: WorkerLimit) -> None:
    await settled()
    limit.end(0.0, 1.0, 1, stored=True)
    await limit.stand_aside(1)


async def test_an_attempt_lost_with_its_process_counts_neither_for_its_file_nor_for_its_host() -> None:
    stage = DispatcherStage(concurrency=8)
    files = stage.add(1, 1)
    async with stage.work():
        await settled()
        stage.dispatcher.lost(stage.pool.groups.pop())
        await settled()
        now = stage.run.clock.monotonic()
        assert stage.passed.values == [("retry", (file, now)) for file in files]
        assert [file.item.history.failures for file in files] == [0, 0]
        assert (stage.gate.under_way, stage.gate.last_answer, stage.run.counters.retries) == (0, None, 2)
        assert (stage.run.memory.outstanding, stage.run.worker_limit.busy) == (0, 0)


async def test_files_in_parts_are_sent_by_this_process() -> None:
    """Their MD5 in progress cannot move. They count against the limit as well."""
    stage = DispatcherStage(concurrency=2)
    stage.sender.held = anyio.Event()
    stage.add(1, 1, 1, parts=3)
    async with stage.work():
        await settled()
        assert (stage.given, len(stage.sender.sent), stage.run.worker_limit.busy) == ([], 2, 2)
        stage.sender.held.set()
        await settled()
        assert (len(stage.sender.sent), stage.run.worker_limit.busy) == (3, 0)


async def test_workers_send_until_there_are_processes_and_this_process_after_them() -> None:
    stage = DispatcherStage(concurrency=8)
    stage.pool.takes = False
    async with stage.work():
        await settled()
        assert stage.wake is None
        stage.pool.takes = True
        stage.dispatcher.pool_changed()
        stage.add(1)
        await settled()
        assert stage.given == [1]
        stage.pool.takes = False
        stage.add(1, 1)
        await settled()
        assert (stage.given, len(stage.sender.sent)) == ([1], 2)


async def test_cancelled_attempts_give_back_what_they_held() -> None:
    """Also those whose results had just arrived."""
    stage = DispatcherStage(concurrency=2)
    stage.add(100, 100, 100)
    async with stage.work():
        await settled()
        stage.passed.held = anyio.Event()
        first, second = stage.pool.groups[0]
        stage.dispatcher.progressed(first, 100)
        stage.dispatcher.progressed(second, 5)
        assert (stage.run.counters.bytes_sent, stage.run.counters.bytes_moving) == (105, 105)
        stage.dispatcher.ended([(first, receipt())])
        await settled()
        stage.dispatcher.ended([(second, receipt())])
    assert stage.pool.cancelled
    assert (stage.run.counters.bytes_moving, stage.run.memory.outstanding) == (0, 0)


async def test_an_error_of_the_program_ends_the_run() -> None:
    stage = DispatcherStage()
    stage.dispatcher.faulted(RuntimeError("in a sending process"))
    with pytest.raises(BaseExceptionGroup) as raised:
        await stage.dispatcher.work()
    assert raised.group_contains(RuntimeError, match="in a sending process")
    assert stage.pool.cancelled
