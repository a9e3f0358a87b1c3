"""The loop of API calls: its limits, and the decision after a failed call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import anyio
import pytest
from stage_world import StageRun, settled

from bulkup import ExitCode
from bulkup.errors import JournalError, ServiceError
from bulkup.helpers.secrets import Secret
from bulkup.model.history import CallHistory
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.model.states import FileState
from bulkup.pipeline import RetryPolicy
from bulkup.pipeline.api_calls import ApiCalls, ServiceCall
from bulkup.providers import ProviderConfig

BUSY = Problem(ProblemKind.TRANSIENT, "busy")
WRONG = Problem(ProblemKind.REJECTED, "wrong")


class FakeCall(ServiceCall):
    """A call that fails with each of its `problems` in turn. `events` are the methods that were called."""

    def __init__(self, stage: CallStage, *problems: Problem | Exception, files: int = 1, name: str = "") -> None:
        self.files = files
        self.history = CallHistory()
        self.name = name
        self.events: list[str] = []
        self.noted: list[Problem] = []
        self.problems = list(problems)
        self.outcome: tuple[FileState, Problem] | None = None
        self.parts: list[FakeCall] = []
        self._stage = stage

    async def make(self) -> bool:
        self.events.append("make")
        self._stage.made.append((self.name, self._stage.clock.time))
        problem = self.problems.pop(0) if self.problems else None
        await anyio.lowlevel.checkpoint()
        if self._stage.held is not None:
            await self._stage.held.wait()
        if isinstance(problem, Problem):
            raise ProblemError(problem)
        if problem is not None:
            raise problem
        return True

    async def note_failure(self, problem: Problem, now: float) -> None:
        self.noted.append(problem)
        await super().note_failure(problem, now)

    def halves(self) -> Sequence[ServiceCall]:
        half = self.files // 2
        sizes = (half, self.files - half)
        self.parts = [FakeCall(self._stage, files=size, name=f"{self.name}/{size}") for size in sizes]
        return self.parts

    def log_repetition(self, problem: Problem, seconds: float) -> None:
        self.events.append("log")

    def give_up(self, state: FileState, problem: Problem) -> None:
        self.events.append("give up")
        self.outcome = (state, problem)

    def give_back(self) -> None:
        self.events.append("give back")


class FakeSource:
    """Forms calls from `ready`; `given_back` counts the requests to leave the files to the next run.

    `answered` has the number of calls under way at each answer.
    """

    def __init__(self) -> None:
        self.ready: list[FakeCall] = []
        self.given_back = 0
        self.answered: list[int] = []
        self.under_way: Callable[[], int] = lambda: -1

    def next_call(self, now: float) -> ServiceCall | None:
        return self.ready.pop(0) if self.ready else None

    def next_due(self) -> float | None:
        return 0.0 if self.ready else None

    def call_answered(self) -> None:
        self.answered.append(self.under_way())

    def give_back(self) -> None:
        self.given_back += 1


class CallStage(StageRun):
    """The loop of calls alone. While `held` is set, calls wait for it. `made` are the calls with their times."""

    def __init__(self, *, ever_answered: bool = True, **options: Any) -> None:
        super().__init__(**options)
        self.held: anyio.Event | None = None
        self.made: list[tuple[str, float]] = []
        self.source = FakeSource()
        self.calls = ApiCalls(self.run, self.source, ever_answered=ever_answered)

    async def make(self, *calls: FakeCall, seconds: float = 0.0) -> None:
        """Make the calls, and let time pass."""
        async with self.working(self.calls.work):
            for call in calls:
                self.calls.push(call)
            await self.advance(seconds)
            await settled()


async def test_a_call_that_is_answered_is_made_once() -> None:
    stage = CallStage()
    call = FakeCall(stage)
    await stage.make(call, seconds=60.0)
    assert call.events == ["make"]
    assert (stage.calls.under_way, stage.calls.files_under_way, stage.calls.files_due) == (0, 0, 0)


async def test_a_source_takes_note_of_an_answer_when_its_call_is_no_longer_under_way() -> None:
    """It may have kept files until no call is under way, and nothing else would remind it of them."""
    stage = CallStage()
    stage.source.under_way = lambda: stage.calls.under_way
    await stage.make(FakeCall(stage))
    assert stage.source.answered == [0]


@pytest.mark.parametrize("kind", [ProblemKind.TRANSIENT, ProblemKind.THROTTLED])
async def test_an_answer_for_a_part_of_the_files_is_an_answer(kind: ProblemKind) -> None:
    """Only a host that asks for fewer requests gets fewer."""
    stage = CallStage(ever_answered=False)
    call = FakeCall(stage, Problem(kind, "later"))
    call.partly_answered = True
    await stage.make(call)
    assert (stage.calls.answered, len(stage.source.answered)) == (True, 1)
    assert stage.run.gates.api.paced == (kind is ProblemKind.THROTTLED)
    assert call.events[:2] == ["make", "log"]


async def test_a_stage_makes_at_most_calls_in_flight() -> None:
    """The next call begins when one has ended. Calls of the source wait like those that were pushed."""
    stage = CallStage(calls_in_flight=2)
    stage.held = anyio.Event()
    calls = [FakeCall(stage, files=10) for _ in range(3)]
    stage.source.ready = [FakeCall(stage, files=10)]
    async with stage.working(stage.calls.work):
        for call in calls:
            stage.calls.push(call)
        await settled()
        assert (stage.calls.under_way, stage.calls.files_under_way) == (2, 20)
        assert (stage.calls.files_due, len(stage.source.ready)) == (20, 0)
        stage.held.set()
        await settled()
        assert len(stage.made) == 4


async def test_no_call_begins_while_the_gate_of_the_api_is_closed() -> None:
    stage = CallStage()
    stage.run.gates.api.begin()
    stage.run.gates.api.end(
        Problem(ProblemKind.THROTTLED, "later", retry_after=20.0), stage.clock.time, stage.clock.time, 0.5
    )
    stage.source.ready = [FakeCall(stage, name="source")]
    async with stage.working(stage.calls.work):
        stage.calls.push(FakeCall(stage, name="pushed"))
        await stage.advance(19.9)
        assert stage.made == []
        await stage.advance(0.2)
        assert sorted(name for name, _ in stage.made) == ["pushed", "source"]


async def test_a_call_is_not_made_before_its_time() -> None:
    stage = CallStage()
    async with stage.working(stage.calls.work):
        stage.calls.push(FakeCall(stage), stage.clock.time + 5.0)
        await stage.advance(4.9)
        assert (stage.made, stage.calls.files_due) == ([], 1)
        await stage.advance(0.2)
        assert len(stage.made) == 1


async def test_a_failed_call_is_made_again_after_a_pause() -> None:
    """Each repetition is logged and counted, and no file is given up for it."""
    stage = CallStage()
    call = FakeCall(stage, BUSY, BUSY)
    await stage.make(call, seconds=60.0)
    assert call.events == ["make", "log", "make", "log", "make"]
    assert stage.run.counters.retries == call.history.failures == 2
    assert not stage.run.stop.requested


async def test_a_group_refused_for_one_file_is_made_in_halves_at_once() -> None:
    stage = CallStage()
    call = FakeCall(stage, WRONG, files=5, name="all")
    await stage.make(call)
    assert [name for name, _ in stage.made] == ["all", "all/2", "all/3"]
    assert call.events == ["make"]


async def test_a_single_file_that_is_refused_is_given_up() -> None:
    stage = CallStage()
    call = FakeCall(stage, WRONG)
    await stage.make(call)
    assert call.outcome == (FileState.REJECTED, WRONG)


async def test_a_group_that_fails_while_others_are_answered_is_split() -> None:
    """After its last attempt, if the service answered another call since its first failure."""
    stage = CallStage(retry=RetryPolicy(attempts=2))
    failing = FakeCall(stage, BUSY, BUSY, files=4, name="failing")
    async with stage.working(stage.calls.work):
        stage.calls.push(failing)
        await settled()
        stage.calls.push(FakeCall(stage, name="other"))
        await stage.advance(60.0)
    assert [name for name, _ in stage.made] == ["failing", "other", "failing", "failing/2", "failing/2"]


async def test_a_service_that_is_down_ends_the_run() -> None:
    """No call was answered since the first failure, so the files are not at fault: they are given back."""
    stage = CallStage(retry=RetryPolicy(attempts=2))
    call = FakeCall(stage, BUSY, BUSY, files=4)
    await stage.make(call, seconds=60.0)
    assert call.events == ["make", "log", "make", "give back"]
    assert isinstance(stage.run.stop.error, ServiceError)


async def test_a_service_that_never_answered_is_given_up_sooner() -> None:
    unreachable = Problem(ProblemKind.UNREACHABLE, "no route")
    for ever_answered, tries in ((False, 3), (True, 10)):
        stage = CallStage(ever_answered=ever_answered, retry=RetryPolicy(first_contact_tries=3))
        await stage.make(FakeCall(stage, *[unreachable] * 10), seconds=100.0)
        assert min(len(stage.made), 10) == tries
        assert stage.run.stop.requested is not ever_answered


async def test_refused_credentials_end_the_run_and_give_the_files_back() -> None:
    stage = CallStage()
    call = FakeCall(stage, Problem(ProblemKind.UNAUTHORIZED, "401"), files=5)
    await stage.make(call)
    assert call.events == ["make", "give back"]
    assert stage.run.stop.why == {ExitCode.SERVICE}


async def test_a_call_that_does_not_repeat_is_made_once() -> None:
    """It notes its failure, and decides nothing else."""
    stage = CallStage()
    call = FakeCall(stage, Problem(ProblemKind.UNAUTHORIZED, "401"))
    call.repeats = False
    await stage.make(call, seconds=60.0)
    assert (call.events, len(call.noted)) == (["make"], 1)
    assert (stage.run.counters.retries, stage.run.stop.requested) == (0, False)


async def test_an_empty_retry_budget_delays_the_repetition() -> None:
    stage = CallStage()
    budget = stage.run.tunables.gate.retries
    for _ in range(int(budget.size) + 100):
        stage.run.gates.api.retries.retry_at(0.0, stage.clock.time)
    delay = 101 / budget.per_second
    call = FakeCall(stage, BUSY)
    async with stage.working(stage.calls.work):
        stage.calls.push(call)
        await stage.advance(delay - 0.1)
        assert call.events == ["make", "log"]
        await stage.advance(0.2)
        assert call.events == ["make", "log", "make"]


async def test_a_stop_gives_back_all_calls_that_are_not_under_way() -> None:
    """The source gives back its files too. Calls under way end, and failed ones are given back then."""
    stage = CallStage(calls_in_flight=2)
    stage.held = anyio.Event()
    answered, failing, waiting = FakeCall(stage), FakeCall(stage, BUSY), FakeCall(stage)
    async with stage.working(stage.calls.work):
        for call in (answered, failing, waiting):
            stage.calls.push(call)
        await settled()
        stage.run.stop.request(ExitCode.SIGTERM)
        stage.calls.wake()
        await settled()
        assert (waiting.events, stage.source.given_back) == (["give back"], 1)
        stage.held.set()
        await stage.advance(60.0)
    assert answered.events == ["make"]
    assert failing.events == ["make", "log", "give back"]


async def test_secrets_are_redacted_before_a_failure_is_noted() -> None:
    stage = CallStage()
    stage.provider.config = ProviderConfig("https://api.example", {"token": Secret("0123456789abcdef")})
    call = FakeCall(stage, Problem(ProblemKind.REJECTED, "the key 0123456789abcdef is too short"))
    await stage.make(call)
    assert call.noted[0].message == "the key *** is too short"
    assert call.outcome == (FileState.REJECTED, call.noted[0])


async def test_an_error_of_the_journal_ends_the_loop() -> None:
    stage = CallStage()
    stage.calls.push(FakeCall(stage, JournalError("the disk is full")))
    with pytest.raises(ExceptionGroup) as raised:
        await stage.calls.work()
    assert [type(error) for error in raised.value.exceptions] == [JournalError]


async def test_two_stages_share_the_pace_of_the_api() -> None:
    """A slow rate limit starves neither presign calls nor closing calls."""
    stage = CallStage()
    other = ApiCalls(stage.run, ever_answered=True)
    gate, clock = stage.run.gates.api, stage.clock
    for step in range(11):
        gate.begin()
        problem = None if step % 10 else Problem(ProblemKind.THROTTLED, "slow down")
        gate.end(problem, clock.time, clock.time, 0.5)
        clock.time += 1.0
    assert gate.paced
    first, second = ([FakeCall(stage, name=name) for _ in range(20)] for name in ("first", "second"))
    async with stage.working(stage.calls.work, other.work):
        for calls, pushed in ((stage.calls, first), (other, second)):
            for call in pushed:
                calls.push(call)
        await stage.advance(20.0)
    names = [name for name, _ in stage.made]
    assert len(names) < 40
    assert min(names.count("first"), names.count("second")) >= len(names) // 3


async def test_no_call_begins_while_the_run_is_paused() -> None:
    """Neither one that was pushed, nor one of the source, nor a repetition. The loop sleeps meanwhile."""
    stage = CallStage()
    calls = [FakeCall(stage, BUSY, name="repeated"), FakeCall(stage, name="pushed"), FakeCall(stage, name="formed")]
    async with stage.working(stage.calls.work):
        stage.calls.push(calls[0])
        await settled()
        stage.run.pause.begin(stage.clock.time)
        stage.calls.push(calls[1])
        stage.source.ready.append(calls[2])
        stage.calls.wake()
        await stage.advance(3600.0)
        assert [name for name, _ in stage.made] == ["repeated"]
        stage.run.pause.end(stage.clock.time)
        await settled()
        assert sorted(name for name, _ in stage.made) == ["formed", "pushed", "repeated", "repeated"]


async def test_a_call_under_way_ends_during_a_pause() -> None:
    stage = CallStage()
    stage.held = anyio.Event()
    async with stage.working(stage.calls.work):
        call = FakeCall(stage)
        stage.calls.push(call)
        await settled()
        stage.run.pause.begin(stage.clock.time)
        stage.held.set()
        await settled()
        assert (stage.calls.under_way, call.events) == (0, ["make"])


async def test_a_paused_run_that_is_stopped_gives_its_calls_back() -> None:
    stage = CallStage()
    async with stage.working(stage.calls.work):
        stage.run.pause.begin(stage.clock.time)
        call = FakeCall(stage)
        stage.calls.push(call)
        await settled()
        stage.run.stop.request(ExitCode.TIME_UP)
        stage.calls.wake()
        await settled()
        assert (call.events, stage.source.given_back) == (["give back"], 1)


async def test_the_time_of_a_pause_is_no_time_for_retries() -> None:
    """A call that failed before it is made again after it, although more than `retry_for` has passed."""
    stage = CallStage(retry=RetryPolicy(retry_for=900.0))
    call = FakeCall(stage, BUSY, BUSY)
    async with stage.working(stage.calls.work):
        stage.calls.push(call)
        await settled()
        stage.run.pause.begin(stage.clock.time)
        await stage.advance(7200.0)
        stage.run.pause.end(stage.clock.time)
        await stage.advance(60.0)
        assert call.events == ["make", "log", "make", "log", "make"]
