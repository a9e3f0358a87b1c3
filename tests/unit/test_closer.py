"""The closer: closing calls and their polls, and calls about files that are given up."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from stage_world import Stages, found, receipt, settled, ticket
from structlog.testing import capture_logs

from bulkup.errors import ExitCode
from bulkup.model.history import FileHistory
from bulkup.model.items import Item, Outcome, Stored
from bulkup.model.log_events import LogEvent
from bulkup.model.problems import Problem, ProblemKind
from bulkup.model.states import FileState
from bulkup.pipeline import RetryPolicy
from bulkup.providers import NotYet

TICKET = ticket()
BUSY = Problem(ProblemKind.TRANSIENT, "busy")
FAILED = Problem(ProblemKind.FAILED, "storage refuses it")


def stored(*, attempts: int = 1, verified: bool = True) -> Stored:
    """Return a file that this run has sent; without attempts, one that an earlier run has sent."""
    item = Item(found(b"a.mp4"), TICKET, history=FileHistory(attempts=attempts))
    item.receipt = receipt(verified=verified)
    return Stored(item, TICKET, item.receipt)


async def test_closing_calls_begin_when_other_calls_leave_room_for_them() -> None:
    """They share the gate of the API with presign calls."""
    async with Stages(calls_in_flight=1) as stages:
        gate = stages.run.gates.api
        for _ in range(2):
            gate.begin()
        stages.closer.add(stored())
        await settled()
        assert (stages.provider.closed, stages.closer.depth) == ([], 1)
        gate.end(None, stages.clock.time, stages.clock.time, 0.5)
        await settled()
        assert (stages.provider.closed, stages.closer.depth) == (["confirm"], 0)
        assert [outcome.state for outcome in stages.settled] == [FileState.UPLOADED]


async def test_there_may_be_more_closing_calls_than_presign_calls_at_a_time() -> None:
    """Each is about one file, even where a presign call is about a group."""
    async with Stages(calls_in_flight=1, closing_calls=3) as stages:
        stages.provider.held = anyio.Event()
        for _ in range(5):
            stages.closer.add(stored())
        await settled()
        assert len(stages.provider.closed) == 3
        stages.provider.held.set()
        await settled()
        assert len(stages.settled) == 5


@pytest.mark.parametrize(("verified", "state"), [(True, FileState.UPLOADED), (False, FileState.UNVERIFIED)])
async def test_the_answer_of_the_service_goes_into_the_manifest(verified: bool, state: FileState) -> None:
    async with Stages() as stages:
        stages.provider.closings = [{"asset": "1"}]
        stages.closer.add(stored(verified=verified))
        await settled()
        assert [(outcome.state, outcome.remote) for outcome in stages.settled] == [(state, {"asset": "1"})]


async def test_polls_follow_until_the_service_has_finished() -> None:
    """The service names the first pause, and each further one is half as long again."""
    async with Stages() as stages:
        begun = stages.clock.time
        stages.provider.closings = [NotYet(2.0), NotYet(2.0), {"asset": "1"}]
        stages.closer.add(stored())
        await stages.advance(60.0)
        assert stages.provider.closed == ["confirm", "poll", "poll"]
        assert [time - begun for time in stages.provider.times] == [0.0, 2.0, 5.0]
        assert [(outcome.state, outcome.remote) for outcome in stages.settled] == [(FileState.UPLOADED, {"asset": "1"})]


async def test_a_service_that_does_not_finish_is_left_to_the_next_run() -> None:
    """After `retry_for`. The row of the file says that storage has it, so the next run asks again."""
    async with Stages(retry=RetryPolicy(retry_for=10.0)) as stages:
        stages.provider.closings = [NotYet(5.0, {"state": "working"})] * 10
        with capture_logs() as logs:
            stages.closer.add(stored())
            await stages.advance(60.0)
        assert [(outcome.state, outcome.remote) for outcome in stages.settled] == [(None, {"state": "working"})]
        assert LogEvent.CONFIRM_UNFINISHED in [entry["event"] for entry in logs]


@pytest.mark.parametrize(
    ("attempts", "problem", "calls"),
    [
        (1, BUSY, ["confirm", "confirm"]),
        (1, Problem(ProblemKind.TRANSIENT, "lost", maybe_created=True), ["confirm", "confirm again"]),
        (0, BUSY, ["confirm again", "confirm again"]),
    ],
    ids=["refused", "answer lost", "sent by an earlier run"],
)
async def test_the_service_learns_that_an_earlier_call_may_have_arrived(
    attempts: int, problem: Problem, calls: list[str]
) -> None:
    async with Stages() as stages:
        stages.provider.problems = [problem]
        stages.closer.add(stored(attempts=attempts))
        await stages.advance(60.0)
        assert stages.provider.closed == calls
        assert [outcome.state for outcome in stages.settled] == [FileState.UPLOADED]


async def test_an_upload_that_the_service_refuses_is_given_up() -> None:
    """The service is informed, so that it does not keep the upload."""
    refused = Problem(ProblemKind.REJECTED, "not a video")
    async with Stages() as stages:
        stages.provider.can(abandons=True)
        stages.provider.problems = [refused]
        stages.closer.add(stored())
        await stages.advance(60.0)
        assert stages.provider.abandoned == ["id"]
        assert [(outcome.state, outcome.problem) for outcome in stages.settled] == [(FileState.REJECTED, refused)]


async def test_an_upload_whose_closing_call_fails_is_not_given_up() -> None:
    """The bytes are stored, and the next run makes the call: the service must keep the upload."""
    async with Stages(retry=RetryPolicy(attempts=2)) as stages:
        stages.provider.can(abandons=True)
        stages.provider.problems = [BUSY]
        stages.closer.add(failing := stored())
        await settled()
        stages.closer.add(stored())  # its answer shows that the service is not down
        await settled()
        stages.provider.problems = [BUSY]
        await stages.advance(60.0)
        assert stages.provider.abandoned == []
        outcome = stages.settled[-1]
        assert (outcome.item, outcome.state, outcome.unconfirmed) == (failing.item, FileState.FAILED, True)


async def test_uploads_that_are_not_closed_are_given_back_when_the_run_stops() -> None:
    async with Stages(calls_in_flight=1) as stages:
        stages.run.stop.request(ExitCode.SIGTERM)
        stages.closer.add(stored())
        await settled()
        assert (stages.provider.closed, [outcome.state for outcome in stages.settled]) == ([], [None])


async def test_an_upload_that_is_polled_is_given_back_when_the_run_stops() -> None:
    """With the last answer of the service."""
    async with Stages() as stages:
        stages.provider.closings = [NotYet(3600.0, {"state": "working"})]
        stages.closer.add(stored())
        await settled()
        stages.run.stop.request(ExitCode.SIGTERM)
        stages.closer.wake()
        await settled()
        assert [(outcome.state, outcome.remote) for outcome in stages.settled] == [(None, {"state": "working"})]


def given_up(**values: Any) -> Outcome:
    return Outcome(Item(found(b"a.mp4"), TICKET), FileState.FAILED, FAILED, **values)


@pytest.mark.parametrize("problems", [[], [BUSY]])
async def test_a_file_given_up_is_settled_once_and_the_service_is_informed_once(problems: list[Problem]) -> None:
    """Its row is on disk before the call. After any answer, the file is settled without a second row."""
    async with Stages() as stages:
        stages.provider.can(abandons=True)
        stages.provider.problems = problems
        stages.closer.give_up(given_up())
        await stages.advance(60.0)
        assert stages.provider.abandoned == ["id"]
        assert stages.journal.calls == ["settled"]
        assert [(outcome.state, outcome.on_disk) for outcome in stages.settled] == [(FileState.FAILED, True)]


@pytest.mark.parametrize("reason", ["no such call", "no ticket", "stopped"])
async def test_other_files_given_up_are_settled_without_a_call(reason: str) -> None:
    async with Stages() as stages:
        stages.provider.can(abandons=reason != "no such call")
        outcome = given_up()
        if reason == "no ticket":
            outcome.item.ticket = None
        elif reason == "stopped":
            stages.run.stop.request(ExitCode.SIGTERM)
        stages.closer.give_up(outcome)
        await settled()
        assert (stages.provider.abandoned, stages.settled) == ([], [outcome])
        assert not stages.settled[0].on_disk


async def test_a_file_given_up_is_settled_although_a_stop_cuts_off_the_call() -> None:
    """Its row is on disk, so the summary must count it."""
    async with Stages() as stages:
        stages.provider.can(abandons=True)
        stages.provider.held = anyio.Event()
        stages.closer.give_up(Outcome(stored().item, FileState.FAILED, Problem(ProblemKind.FAILED, "no")))
        await settled()
        assert (stages.provider.abandoned, stages.settled) == (["id"], [])
    assert [(outcome.state, outcome.on_disk) for outcome in stages.settled] == [(FileState.FAILED, True)]


async def test_closing_calls_and_polls_wait_for_the_end_of_a_pause() -> None:
    """The time of the pause does not count against a service that has not finished the file."""
    async with Stages(retry=RetryPolicy(retry_for=900.0)) as stages:
        stages.provider.closings = [NotYet(2.0), NotYet(2.0), {"asset": "1"}]
        stages.closer.add(stored())
        await settled()
        stages.run.pause.begin(stages.clock.time)
        stages.closer.add(stored())
        await stages.advance(7200.0)
        assert stages.provider.closed == ["confirm"]
        stages.run.pause.end(stages.clock.time)
        await stages.advance(60.0)
        assert [outcome.state for outcome in stages.settled] == [FileState.UPLOADED] * 2
