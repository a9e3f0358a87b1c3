"""Workers: when a worker is free again, and where a file goes after its attempt."""

from __future__ import annotations

import asyncio
import functools
from typing import Any

import anyio
import pytest
from stage_world import FakeSender, Passed, StageRun, found, receipt, settled, ticket
from structlog.testing import capture_logs

from bulkup import ExitCode
from bulkup.errors import MachineError, ServiceError
from bulkup.model.items import Item, Outcome, Stored, Ticketed
from bulkup.model.log_events import LogEvent
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.model.states import FileState
from bulkup.model.tickets import PartsSent
from bulkup.pipeline import RetryPolicy, Tunables
from bulkup.pipeline.files.opening import CHUNK
from bulkup.pipeline.options import LARGE
from bulkup.pipeline.policy.host_gate import GateOptions, HostGate
from bulkup.pipeline.workers import Workers

LARGE_FILE = LARGE + 1


class WorkerStage(StageRun):
    """Workers alone. Tests put files into `waiting`; results are those of `sender`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.sender = FakeSender()
        self.asked_at: float | None = 0.0  # of the tickets
        self.passed = Passed(self.events)
        self.passed.routes.take = self._take
        self.waiting: asyncio.Queue[Ticketed] = asyncio.Queue()
        self.workers = Workers(self.run, self.passed.routes, self.sender)

    async def _take(self) -> tuple[Ticketed, HostGate]:
        file = await self.waiting.get()
        self.gate.begin()
        return file, self.gate

    def add(self, *sizes: int) -> list[Ticketed]:
        """Have files of these sizes wait for a worker."""
        files = [
            Ticketed(Item(found(b"%d.mp4" % n, size)), ticket(f"id-{n}"), asked_at=self.asked_at)
            for n, size in enumerate(sizes)
        ]
        for file in files:
            self.waiting.put_nowait(file)
        return files

    def work(self, workers: int = 1) -> Any:
        return self.working(*[functools.partial(self.workers.work, number) for number in range(workers)])

    async def attempt(self, answer: Problem | Exception) -> Ticketed:
        """Send one file, with this answer."""
        (file,) = self.add(1)
        self.sender.answers = [answer]
        async with self.work():
            await settled()
        return file


@pytest.mark.parametrize(("verified", "state"), [(True, FileState.UPLOADED), (False, FileState.UNVERIFIED)])
async def test_an_uploaded_file_is_recorded(verified: bool, state: FileState) -> None:
    stage, taken = WorkerStage(), receipt(verified=verified)
    (file,) = stage.add(1)
    stage.sender.answers = [taken]
    async with stage.work():
        await settled()
    assert stage.passed.values == [("record", Outcome(file.item, state))]
    assert (file.item.receipt, file.item.digest, file.item.history.attempts) == (taken, taken.digest, 1)


async def test_a_worker_takes_no_file_before_its_last_one_is_on_disk() -> None:
    """After a kill, at most one file per worker is sent twice."""
    stage = WorkerStage()
    stage.passed.held = anyio.Event()
    stage.add(1, 1)
    async with stage.work():
        await settled()
        assert (len(stage.sender.sent), stage.run.worker_limit.busy) == (1, 1)
        stage.passed.held.set()
        await settled()
        assert (len(stage.sender.sent), stage.run.worker_limit.busy) == (2, 0)


async def test_the_receipt_is_on_disk_before_the_closing_call_is_due() -> None:
    """A service with closing calls: the file goes to the closer, and its worker is free only then."""
    stage, taken = WorkerStage(), receipt()
    stage.provider.can(confirms=True)
    stage.journal.held = anyio.Event()
    stage.sender.answers = [taken]
    file, _ = stage.add(1, 1)
    async with stage.work():
        await settled()
        assert (stage.events, len(stage.sender.sent)) == (["stored"], 1)
        assert stage.journal.arguments == [([file.item],)]
        stage.journal.held.set()
        await settled()
        assert stage.events == ["stored", "close"] * 2
        assert stage.passed.values[0] == ("close", Stored(file.item, file.ticket, taken))


@pytest.mark.parametrize("kind", [ProblemKind.UNREACHABLE, ProblemKind.UNUSABLE])
async def test_a_ticket_of_an_earlier_run_to_a_host_without_an_answer_is_replaced(kind: ProblemKind) -> None:
    """The first one is. The next file waits for what its new ticket names."""
    stage = WorkerStage()
    stage.asked_at = None
    file = await stage.attempt(Problem(kind, "no"))
    assert stage.passed.values == [("renew", file.item)]
    other = await stage.attempt(Problem(kind, "no"))
    assert [name for name, _ in stage.passed.values] == ["renew", "retry"]
    assert stage.passed.values[1][1][0] is other


@pytest.mark.parametrize("raised", [False, True])
@pytest.mark.parametrize(
    ("kind", "route", "state"),
    [
        (ProblemKind.TRANSIENT, "retry", None),
        (ProblemKind.UNREACHABLE, "retry", None),
        (ProblemKind.THROTTLED, "retry", None),
        (ProblemKind.MISMATCH, "retry", None),
        (ProblemKind.EXPIRED, "renew", None),
        (ProblemKind.REFUSED, "renew", None),
        (ProblemKind.REJECTED, "give_up", FileState.REJECTED),
        (ProblemKind.FAILED, "give_up", FileState.FAILED),
        (ProblemKind.CHANGED, "give_up", FileState.CHANGED),
        (ProblemKind.UNREADABLE, "give_up", FileState.UNREADABLE),
        (ProblemKind.UNAUTHORIZED, "settle", None),
        (ProblemKind.UNUSABLE, "settle", None),
        (ProblemKind.MACHINE, "settle", None),
    ],
)
async def test_every_kind_of_problem_has_its_route(
    kind: ProblemKind, route: str, state: FileState | None, raised: bool
) -> None:
    """A returned problem and a raised one are the same. Fatal problems stop the run and give the file back."""
    stage, problem = WorkerStage(), Problem(kind, "no")
    file = await stage.attempt(ProblemError(problem) if raised else problem)
    ((name, value),) = stage.passed.values
    assert name == route
    if route == "retry":
        assert value[0] is file
        assert stage.run.counters.retries == 1
    elif route == "renew":
        assert value is file.item
        assert file.item.history.renewals == 1
    else:
        assert value == Outcome(file.item, state, problem if state else None)
    assert stage.run.stop.requested is (route == "settle")


async def test_a_changed_file_is_rechecked_where_changes_are_retried() -> None:
    stage = WorkerStage(retry=RetryPolicy(on_change="retry", rechecks=(7.0,)))
    problem = Problem(ProblemKind.CHANGED, "it grew")
    file = await stage.attempt(problem)
    assert stage.passed.values == [("recheck", (file.item, problem, stage.clock.time + 7.0))]


async def test_a_retry_waits_for_its_host_and_for_the_retry_budget() -> None:
    """A host's `Retry-After` is the earliest time; an empty budget delays the retry further."""
    stage = WorkerStage()
    problem = Problem(ProblemKind.TRANSIENT, "busy", retry_after=20.0)
    await stage.attempt(problem)
    budget = stage.run.tunables.gate.retries
    for _ in range(int(budget.size) + 100):
        stage.gate.retries.retry_at(0.0, stage.clock.time)
    await stage.attempt(problem)
    first, second = [at - stage.clock.time for _, at in stage.passed.through("retry")]
    assert 20.0 <= first < 20.3
    assert second == pytest.approx(102 / budget.per_second)


async def test_fatal_problems_end_the_run_with_their_error() -> None:
    for kind, error in ((ProblemKind.MACHINE, MachineError), (ProblemKind.UNAUTHORIZED, ServiceError)):
        stage = WorkerStage()
        await stage.attempt(Problem(kind, "no"))
        assert isinstance(stage.run.stop.error, error)


async def test_a_storage_that_answers_nothing_ends_the_run() -> None:
    """A failure after `retry_for` without any answer ends the run. The file is given back, not failed."""
    tunables = Tunables(gate=GateOptions(storage_failures=1, storage_failures_max=1))
    stage = WorkerStage(tunables=tunables, retry=RetryPolicy(retry_for=60.0, attempts=100))
    problem = Problem(ProblemKind.TRANSIENT, "connection lost")
    await stage.attempt(problem)
    assert not stage.run.stop.requested
    await stage.advance(61.0)
    file = await stage.attempt(problem)
    assert stage.passed.settled == [Outcome(file.item, None)]
    assert stage.run.stop.error is not None
    assert stage.run.stop.error.message == "connection lost; no other request was answered for 61 s"


async def test_secrets_of_the_ticket_are_redacted_from_the_result() -> None:
    stage, signature = WorkerStage(), "0123456789abcdef0123456789abcdef"
    file = Ticketed(Item(found(b"a.mp4")), ticket(query=f"X-Amz-Signature={signature}"), asked_at=0.0)
    stage.waiting.put_nowait(file)
    stage.sender.answers = [Problem(ProblemKind.FAILED, f"the signature {signature} is bad")]
    async with stage.work():
        await settled()
    (outcome,) = stage.passed.through("give_up")
    assert outcome.problem.message == "the signature *** is bad"


async def test_a_pause_of_the_host_is_logged() -> None:
    stage = WorkerStage()
    with capture_logs() as logs:
        await stage.attempt(Problem(ProblemKind.THROTTLED, "slow down", retry_after=20.0))
    (paused,) = [entry for entry in logs if entry["event"] == LogEvent.STORAGE_PAUSED]
    assert (paused["reason"], paused["seconds"]) == ("slow down", 20.0)


async def test_short_pauses_of_a_host_are_not_logged() -> None:
    """A host with a rate limit causes many of them."""
    stage = WorkerStage()
    with capture_logs() as logs:
        await stage.attempt(Problem(ProblemKind.THROTTLED, "slow down"))
    assert [entry for entry in logs if entry["event"] == LogEvent.STORAGE_PAUSED] == []


async def test_files_wait_for_memory() -> None:
    """A file takes its size, at most two chunks, and gives it back at the end of its attempt."""
    stage = WorkerStage(memory=2 * CHUNK + 10)
    stage.sender.held = anyio.Event()
    stage.add(100 * CHUNK, 10, CHUNK)
    async with stage.work(workers=3):
        await settled()
        assert [file.item.file.identity.size for file in stage.sender.sent] == [100 * CHUNK, 10]
        assert stage.run.memory.outstanding == 2 * CHUNK + 10
        stage.sender.held.set()
        await settled()
        assert (len(stage.sender.sent), stage.run.memory.outstanding) == (3, 0)


async def test_a_cancelled_attempt_gives_its_memory_back() -> None:
    stage = WorkerStage()
    stage.sender.held, stage.sender.counts = anyio.Event(), [5]
    stage.add(100)
    async with stage.work():
        await settled()
        assert (stage.run.memory.outstanding, stage.run.counters.bytes_moving) == (100, 5)
    assert (stage.run.memory.outstanding, stage.run.counters.bytes_moving) == (0, 0)


async def test_workers_above_the_limit_stand_aside() -> None:
    """They take a file as soon as the limit rises. Where it falls, a surplus worker first ends its attempt."""
    stage = WorkerStage(concurrency=1)
    stage.sender.held = anyio.Event()
    stage.add(*[1] * 6)
    async with stage.work(workers=3):
        await settled()
        assert stage.sender.busy == 1
        stage.run.worker_limit.want(3)
        await settled()
        assert stage.sender.busy == 3
        stage.run.worker_limit.want(1)
        await settled()
        assert stage.sender.busy == 3
        stage.sender.held.set()
        stage.sender.held = anyio.Event()
        await settled()
        assert (stage.sender.busy, len(stage.sender.sent)) == (1, 4)


async def test_a_failed_attempt_takes_its_bytes_off_the_progress() -> None:
    """All bytes that were sent are counted, those of the failed attempt are not progress."""
    stage = WorkerStage()
    stage.sender.counts = [3, 4]
    await stage.attempt(Problem(ProblemKind.TRANSIENT, "lost"))
    counters, limit = stage.run.counters, stage.run.worker_limit
    assert (counters.bytes_sent, counters.bytes_moving) == (7, 0)
    assert (limit.files, limit.failed, limit.bytes) == (0, 1, 0)


async def test_parts_of_earlier_attempts_are_progress_from_the_start() -> None:
    stage = WorkerStage()
    stage.sender.held, stage.sender.counts = anyio.Event(), [10]
    (file,) = stage.add(100)
    file.item.sent = PartsSent(2, 40, None, None, verified=True)
    async with stage.work():
        await settled()
        assert (stage.run.counters.bytes_moving, stage.run.counters.bytes_sent) == (50, 10)


async def test_bytes_of_large_files_count_while_they_are_sent() -> None:
    """Those of small files count when storage has taken the file."""
    stage = WorkerStage()
    stage.sender.held, stage.sender.counts = anyio.Event(), [7]
    stage.add(LARGE_FILE, LARGE)
    async with stage.work(workers=2):
        await settled()
        assert stage.run.worker_limit.bytes == 7
        stage.sender.held.set()
        await settled()
        assert stage.run.worker_limit.bytes == 7 + LARGE


async def test_a_stop_of_another_stage_lets_the_attempt_end() -> None:
    """Workers do not look at the request to stop: the ready queue hands out no file after it."""
    stage = WorkerStage()
    stage.sender.held = anyio.Event()
    (file,) = stage.add(1)
    async with stage.work():
        await settled()
        stage.run.stop.request(ExitCode.SIGTERM)
        stage.sender.held.set()
        await settled()
    assert stage.passed.values == [("record", Outcome(file.item, FileState.UPLOADED))]
