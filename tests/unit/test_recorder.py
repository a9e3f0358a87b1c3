"""The recorder: journal first, then counters, results and the budget; and the end of a run with many failures."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from stage_world import StageRun, found, receipt, settled, ticket

from bulkup import ExitCode
from bulkup.errors import JournalError, TooManyFailuresError
from bulkup.model.history import FileHistory
from bulkup.model.items import Item, Outcome
from bulkup.model.problems import Problem, ProblemKind
from bulkup.model.states import FileState
from bulkup.pipeline.recorder import Recorder, result_of


class RecorderStage(StageRun):
    """A recorder alone. `settle` takes a file from the budget first, as the scanner does."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.recorder = Recorder(self.run)

    def settle(self, *outcomes: Outcome) -> None:
        for outcome in outcomes:
            assert self.run.budget.try_take(1)
            self.run.counters.found += 1
            self.recorder.settle(outcome)

    @property
    def written(self) -> list[list[Outcome]]:
        """The outcomes of each commit."""
        return [list(outcomes) for outcomes, _ in self.journal.arguments]


def outcome(number: int = 0, state: FileState | None = FileState.UPLOADED, size: int = 5, **values: Any) -> Outcome:
    return Outcome(Item(found(b"%d.mp4" % number, size)), state, **values)


async def test_the_row_is_written_before_counters_results_and_budget() -> None:
    """Each step waits for the one before it. The budget comes last, because the run ends with its last unit."""
    stage = RecorderStage()
    counters, seen = stage.run.counters, list[tuple[str, int, int]]()
    emit = stage.run.emit

    async def slow_emit(results: Any) -> None:
        await emit(results)
        seen.append(("emit", counters.uploaded, stage.run.budget.outstanding))

    stage.run.emit = slow_emit
    stage.journal.held = anyio.Event()
    async with stage.working(stage.recorder.work):
        stage.settle(outcome())
        await settled()
        assert (stage.events, counters.uploaded) == (["settled"], 0)
        stage.journal.held.set()
        await settled()
    assert stage.events == ["settled", "emit"]
    assert seen == [("emit", 1, 1)]
    assert stage.run.budget.outstanding == 0


async def test_record_returns_when_the_row_is_on_disk() -> None:
    stage, ended = RecorderStage(), list[bool]()
    stage.journal.held = anyio.Event()

    async def record() -> None:
        await stage.recorder.record(outcome())
        ended.append(stage.journal.held is not None and stage.journal.held.is_set())

    async with stage.working(stage.recorder.work, record):
        await settled()
        assert (stage.recorder.depth, ended) == (0, [])
        stage.journal.held.set()
        await settled()
    assert ended == [True]


async def test_outcomes_that_arrive_during_a_commit_are_written_together() -> None:
    stage = RecorderStage()
    first, *others = [outcome(number) for number in range(4)]
    stage.journal.held = anyio.Event()
    async with stage.working(stage.recorder.work):
        stage.settle(first)
        await settled()
        stage.settle(*others)
        await settled()
        assert stage.recorder.depth == 3
        stage.journal.held.set()
        await settled()
    assert stage.written == [[first], others]
    assert stage.run.counters.uploaded == len(stage.results) == 4


async def test_an_outcome_that_is_on_disk_is_not_written_again() -> None:
    """It is counted, and the user receives its result."""
    stage, written, new = RecorderStage(), outcome(0, FileState.FAILED, on_disk=True), outcome(1)
    async with stage.working(stage.recorder.work):
        stage.settle(written, new)
        await settled()
    assert stage.written == [[new]]
    assert (stage.run.counters.failed, stage.run.counters.uploaded) == (1, 1)
    assert [result.path for result in stage.results] == [b"0.mp4", b"1.mp4"]


async def test_a_file_that_is_given_back_has_no_result() -> None:
    """Its row is written, it remains, and its unit of the budget is free."""
    stage, given_back = RecorderStage(), outcome(state=None)
    async with stage.working(stage.recorder.work):
        stage.settle(given_back)
        await settled()
    assert (stage.written, stage.results) == ([[given_back]], [])
    assert (stage.run.counters.remaining, stage.run.counters.bytes_settled) == (1, 0)
    assert stage.run.budget.outstanding == 0


@pytest.mark.parametrize(
    ("state", "counted", "bytes_uploaded"),
    [
        (FileState.UPLOADED, {"uploaded": 1}, 5),
        (FileState.UNVERIFIED, {"uploaded": 1, "unverified": 1}, 5),
        (FileState.FAILED, {"failed": 1}, 0),
        (FileState.REJECTED, {"rejected": 1}, 0),
        (FileState.CHANGED, {"changed": 1}, 0),
        (FileState.UNREADABLE, {"unreadable": 1}, 0),
    ],
)
async def test_each_state_has_its_counter(state: FileState, counted: dict[str, int], bytes_uploaded: int) -> None:
    stage = RecorderStage()
    async with stage.working(stage.recorder.work):
        stage.settle(outcome(state=state))
        await settled()
    counters = stage.run.counters
    names = ("skipped", "uploaded", "unverified", "failed", "rejected", "changed", "unreadable")
    assert {name: number for name in names if (number := getattr(counters, name))} == counted
    assert (counters.bytes_uploaded, counters.bytes_settled, counters.remaining) == (bytes_uploaded, 5, 0)


@pytest.mark.parametrize("state", [FileState.UPLOADED, FileState.UNVERIFIED])
async def test_a_file_that_was_already_there_counts_as_uploaded_without_its_bytes(state: FileState) -> None:
    """No byte of it was sent."""
    stage = RecorderStage()
    async with stage.working(stage.recorder.work):
        stage.settle(outcome(0, state), outcome(1, state, already_there=True))
        await settled()
    counters = stage.run.counters
    assert (counters.uploaded, counters.already_there, counters.bytes_uploaded) == (2, 1, 5)
    assert (counters.bytes_settled, counters.remaining) == (10, 0)


async def test_an_unchanged_file_counts_as_skipped() -> None:
    """An earlier run uploaded it. Where the service no longer keeps it, it counts as expired as well."""
    stage, expired = RecorderStage(), outcome(1, unchanged=True)
    expired.item.expired = True
    async with stage.working(stage.recorder.work):
        stage.settle(outcome(0, unchanged=True), expired)
        await settled()
    counters = stage.run.counters
    assert (counters.skipped, counters.expired, counters.uploaded, counters.bytes_uploaded) == (2, 1, 0, 0)


@pytest.mark.parametrize(
    ("limit", "failures", "message"),
    [
        (1, 1, "stopped because 1 file failed (max_failures is 1)"),
        (3, 4, "stopped because 3 files failed (max_failures is 3)"),
        (3, 2, None),
        (None, 40, None),
    ],
)
async def test_the_run_stops_at_max_failures(limit: int | None, failures: int, message: str | None) -> None:
    """Before the row is on disk. Files rejected without a call, and changed ones, do not count."""
    stage = RecorderStage(max_failures=limit)
    others = [outcome(50, FileState.REJECTED), outcome(51, FileState.CHANGED)]
    stage.settle(*others, *[outcome(number, FileState.FAILED) for number in range(failures)])
    error = stage.run.stop.error
    assert (error.message if error is not None else None) == message
    if error is not None:
        assert isinstance(error, TooManyFailuresError)
        assert stage.run.stop.why == {ExitCode.FILES_FAILED}


async def test_rejections_by_the_service_count_as_failures() -> None:
    stage = RecorderStage(max_failures=2)
    stage.settle(*[outcome(number, FileState.REJECTED, by_service=True) for number in range(2)])
    assert isinstance(stage.run.stop.error, TooManyFailuresError)


async def test_the_reasons_of_files_that_are_not_uploaded_are_counted_without_details() -> None:
    stage = RecorderStage()
    async with stage.working(stage.recorder.work):
        for number in range(3):
            problem = Problem(ProblemKind.FAILED, f'storage answered 413: "{number}.mp4" is too large')
            stage.settle(outcome(number, FileState.FAILED, problem=problem))
        await settled()
    assert stage.run.counters.reasons == {("failed", "storage answered 413: … is too large"): 3}


async def test_a_stopped_run_keeps_the_reason_it_has() -> None:
    stage = RecorderStage(max_failures=1)
    stage.run.stop.request(ExitCode.SIGTERM)
    async with stage.working(stage.recorder.work):
        stage.settle(outcome(state=FileState.FAILED))
        await settled()
    assert (stage.run.stop.why, stage.run.stop.error) == ({ExitCode.SIGTERM}, None)


async def test_a_commit_that_has_begun_is_counted_when_the_run_is_cancelled() -> None:
    """A row that is on disk must be in the figures of the run."""
    stage = RecorderStage()
    stage.journal.held = anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stage.recorder.work)
        stage.settle(outcome())
        await settled()
        tasks.cancel_scope.cancel()
        stage.journal.held.set()
    assert stage.run.counters.uploaded == 1


async def test_a_worker_cancelled_during_the_commit_does_no_harm() -> None:
    stage = RecorderStage()
    stage.journal.held = anyio.Event()

    async def record() -> None:
        await stage.recorder.record(outcome())

    async with stage.working(stage.recorder.work):
        async with anyio.create_task_group() as workers:
            workers.start_soon(record)
            await settled()
            workers.cancel_scope.cancel()
        stage.journal.held.set()
        await settled()
    assert stage.run.counters.uploaded == 1


async def test_a_journal_that_fails_ends_the_loop_and_counts_nothing() -> None:
    """The journal cannot tell whether the rows are on disk, so no result is reported and no unit is free."""
    stage = RecorderStage()
    stage.journal.error = JournalError("the disk is full")
    stage.settle(outcome())
    with pytest.raises(JournalError):
        await stage.recorder.flush()
    assert (stage.run.counters.uploaded, stage.results, stage.run.budget.outstanding) == (0, [], 1)


async def test_a_flush_without_outcomes_writes_nothing() -> None:
    stage = RecorderStage()
    await stage.recorder.flush()
    assert stage.events == []


def test_a_result_describes_the_file() -> None:
    """The remote id belongs to uploaded files only: the service may never have received the others."""
    uploaded = Item(found(b"a.mp4", 5), ticket("id-1"), receipt=receipt(), history=FileHistory(attempts=2))
    result = result_of(Outcome(uploaded, FileState.UPLOADED))
    assert (result.source, result.path, result.size, result.status) == ("/data", b"a.mp4", 5, FileState.UPLOADED)
    assert (result.md5, result.remote_id, result.attempts, result.error) == ((b"d" * 16).hex(), "id-1", 2, None)
    problem = Problem(ProblemKind.FAILED, "storage refuses it")
    result = result_of(Outcome(Item(found(b"a.mp4"), ticket("id-1")), FileState.FAILED, problem))
    assert (result.md5, result.remote_id, result.error) == (None, None, "storage refuses it")


async def test_results_whose_emission_was_cancelled_are_emitted_by_the_last_flush() -> None:
    """They were counted, so the user must receive them."""
    stage, emitted, blocked = RecorderStage(), list[int](), anyio.Event()

    async def emit(results: Any) -> None:
        if not emitted:
            emitted.append(0)
            await blocked.wait()
        emitted.append(len(results))

    stage.run.emit = emit
    async with stage.working(stage.recorder.work):
        stage.settle(outcome(0), outcome(1))
        await settled()
    assert emitted == [0]
    await stage.recorder.flush()
    assert emitted == [0, 2]


async def test_rejected_files_that_a_setting_can_skip_are_counted() -> None:
    """Those of an unsupported kind, and those that the service rejected. A place that is taken is neither."""
    stage = RecorderStage()
    rejected = outcome(0, FileState.REJECTED, problem=Problem(ProblemKind.REJECTED, "no"))
    stage.settle(rejected, rejected._replace(unsupported=True), rejected._replace(by_service=True), outcome(3))
    await stage.recorder.flush()
    assert (stage.run.counters.rejected, stage.run.counters.skippable) == (3, 2)


async def test_results_of_uploaded_files_are_made_only_for_a_reader() -> None:
    """Files with a problem are always reported. All files are counted."""
    stage = RecorderStage()
    stage.run.emits_uploaded = False
    problem = Problem(ProblemKind.FAILED, "storage answered 501")
    async with stage.working(stage.recorder.work):
        stage.settle(outcome(1), outcome(2, FileState.FAILED, problem=problem), outcome(3, FileState.UNVERIFIED))
        await settled()
    assert [result.path for result in stage.results] == [b"2.mp4"]
    assert (stage.run.counters.uploaded, stage.run.counters.unverified, stage.run.counters.failed) == (2, 1, 1)
