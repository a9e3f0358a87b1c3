"""The batcher: groups of files, and their presign calls."""

from __future__ import annotations

import anyio
import pytest
from stage_world import Stages, found, settled

from bulkup import ExitCode
from bulkup.model.items import Item
from bulkup.model.problems import Problem, ProblemKind
from bulkup.model.states import FileState
from bulkup.model.tickets import Rejection
from bulkup.pipeline import RetryPolicy
from bulkup.pipeline.options import LARGE


async def test_a_full_group_is_asked_for_at_once_and_a_part_of_one_when_it_is_old() -> None:
    """A file waits at most `group_age` for its group while workers are idle."""
    async with Stages(batch_size=5, group_age=2.0) as stages:
        stages.add(7)
        await settled()
        assert (stages.provider.sizes, stages.batcher.grouping) == ([5], 2)
        await stages.use()
        await stages.advance(1.9)
        assert stages.provider.sizes == [5]
        await stages.advance(0.2)
        assert stages.provider.sizes == [5, 2]


async def test_the_last_files_are_asked_for_when_the_scan_has_ended() -> None:
    async with Stages(batch_size=5, group_age=3600.0) as stages:
        stages.add(2)
        await settled()
        assert stages.provider.sizes == []
        stages.end_scan()
        await settled()
        assert stages.provider.sizes == [2]


@pytest.mark.parametrize(
    ("size", "adaptive", "asked"),
    [(LARGE // 4, True, 84), (LARGE // 4, False, 36), (LARGE * 2, True, 18), (1, True, 100)],
)
async def test_the_first_call_has_tickets_for_all_workers_that_may_begin_at_once(
    size: int, adaptive: bool, asked: int
) -> None:
    """With `auto`, 64 workers begin together over a link with latency, but not with large files."""
    async with Stages(batch_size=100, concurrency=64 if adaptive else 16, adaptive=adaptive) as stages:
        stages.run.worker_limit.want(16)
        for number in range(200):
            stages.batcher.add(Item(found(b"%d.mp4" % number, size)))
        stages.provider.held = anyio.Event()
        await settled()
        assert stages.provider.sizes == [asked]


async def test_the_first_call_is_alone() -> None:
    """Nothing is known of the service before its first answer. Then calls are made together."""
    async with Stages(batch_size=5, calls_in_flight=3) as stages:
        stages.provider.held = first = anyio.Event()
        stages.add(25)
        await settled()
        assert (stages.provider.sizes, stages.batcher.asking, stages.batcher.grouping) == ([5], 5, 20)
        stages.provider.held = anyio.Event()
        first.set()
        await settled()
        assert (stages.provider.sizes, stages.batcher.asking, stages.batcher.grouping) == ([5] * 4, 15, 5)


async def test_a_failed_call_is_made_again_for_the_same_group() -> None:
    async with Stages(batch_size=5) as stages:
        stages.provider.problems = [Problem(ProblemKind.TRANSIENT, "busy")]
        stages.add(5)
        await settled()
        assert (stages.provider.sizes, stages.batcher.waiting) == ([5], 5)
        await stages.advance(60.0)
        assert stages.provider.asked[0] == stages.provider.asked[1]
        assert len(await stages.use()) == 5


async def test_a_file_that_the_service_never_answers_for_fails_alone() -> None:
    """Also in the first call: the service is there."""
    async with Stages(batch_size=5, retry=RetryPolicy(attempts=3)) as stages:
        stages.provider.later = {"3.mp4": [Problem(ProblemKind.TRANSIENT, "busy")] * 3}
        stages.add(5)
        await stages.advance(60.0)
        assert len(await stages.use()) == 4
        assert stages.provider.asked[1:] == [["3.mp4"]] * 2
        assert [(outcome.item.file.path, outcome.state) for outcome in stages.settled] == [(b"3.mp4", FileState.FAILED)]
        assert not stages.run.stop.requested


async def test_a_group_refused_for_one_file_is_halved_until_that_file_is_alone() -> None:
    """The others get their tickets, and exactly one is rejected."""
    async with Stages(batch_size=8) as stages:
        stages.provider.culprits = {"3.mp4"}
        stages.add(8)
        await stages.advance(1.0)
        assert len(await stages.use()) == 7
        assert [outcome.item.file.path for outcome in stages.settled] == [b"3.mp4"]


async def test_a_renewed_file_is_asked_for_alone_and_first() -> None:
    """An expired ticket costs one new ticket, for that file."""
    async with Stages(batch_size=5) as stages:
        stages.add(5)
        files = await stages.use()
        stages.run.counters.scan_done = True
        stages.batcher.renew(files[2].item)
        again = await stages.use()
        assert [file.item for file in again] == [files[2].item]
        assert stages.provider.asked[1:] == [["2.mp4"]]
        assert stages.run.counters.presign_renewed == 1


async def test_a_renewed_file_is_before_the_files_that_wait_for_their_group() -> None:
    async with Stages(batch_size=3) as stages:
        stages.add(3)
        files = await stages.use()
        stages.add(2, start=3)
        stages.batcher.renew(files[1].item)
        await settled()
        assert stages.provider.asked[1:] == [["1.mp4", "3.mp4", "4.mp4"]]


async def test_refused_credentials_end_the_run_and_give_everything_back() -> None:
    """No further call is made, and every file is left to the next run."""
    async with Stages(batch_size=5) as stages:
        stages.provider.problems = [Problem(ProblemKind.UNAUTHORIZED, "no")]
        stages.add(12)
        await stages.advance(60.0)
        assert stages.provider.sizes == [5]
        assert stages.run.stop.requested
        assert len(stages.settled) == 12
        assert {outcome.state for outcome in stages.settled} == {None}


async def test_files_without_a_group_are_given_back_when_the_run_stops() -> None:
    async with Stages(batch_size=5, group_age=3600.0) as stages:
        items = stages.add(2)
        await settled()
        stages.run.stop.request(ExitCode.SIGTERM)
        stages.batcher.wake()
        await settled()
        assert [(outcome.item, outcome.state) for outcome in stages.settled] == [(item, None) for item in items]
        assert (stages.provider.sizes, stages.batcher.grouping) == ([], 0)


REFUSED = Problem(ProblemKind.REJECTED, "no such pipeline")


async def test_a_service_that_refuses_every_file_ends_the_run_after_few_calls() -> None:
    """A refused group is tried file by file; all files stay for the next run."""
    async with Stages(batch_size=100) as stages:
        stages.provider.problems = [REFUSED] * 300
        items = stages.add(300)
        stages.end_scan()
        await stages.advance(10.0)
        enough = stages.run.options.retry.common_refusals
        assert stages.provider.sizes == [100, *[1] * enough]
        assert stages.run.stop.error is not None
        assert stages.run.stop.error.exit_code is ExitCode.SERVICE
        assert "8 files (.mp4) were refused alike" in stages.run.stop.error.message
        assert {outcome.item for outcome in stages.settled} == set(items)
        assert all(outcome.state is None for outcome in stages.settled)


async def test_files_refused_before_another_one_is_accepted_are_rejected_then() -> None:
    """One file that the service takes shows that the others are at fault themselves."""
    async with Stages(batch_size=1) as stages:
        stages.provider.problems = [REFUSED] * 3
        items = stages.add(3)
        await stages.advance(1.0)
        assert stages.settled == []
        stages.add(1, start=3)
        await stages.advance(1.0)
        assert [(outcome.item, outcome.state) for outcome in stages.settled] == [
            (item, FileState.REJECTED) for item in items
        ]
        assert not stages.run.stop.requested


async def test_a_few_refused_files_without_others_are_rejected_at_the_end_of_the_scan() -> None:
    async with Stages(batch_size=1) as stages:
        stages.provider.problems = [REFUSED] * 3
        stages.add(3)
        stages.end_scan()
        await stages.advance(1.0)
        assert [outcome.state for outcome in stages.settled] == [FileState.REJECTED] * 3
        assert not stages.run.stop.requested


async def test_a_file_of_another_kind_is_tried_before_the_run_ends() -> None:
    """The service takes no mpeg, and the tree begins with them."""
    async with Stages(batch_size=1, concurrency=64) as stages:
        stages.provider.problems = [REFUSED]
        mpegs = [Item(found(b"%d.mpeg" % number)) for number in range(30)]
        for item in mpegs:
            stages.batcher.add(item)
        stages.add(1)
        await stages.advance(1.0)
        assert stages.provider.asked[:2] == [["0.mpeg"], ["0.mp4"]]
        assert not stages.run.stop.requested


async def test_a_kind_that_the_service_refuses_does_not_end_the_run() -> None:
    """Files of other kinds may follow: the tree begins with those that the service does not take."""
    async with Stages(batch_size=50, concurrency=256) as stages:
        unsupported = Problem(ProblemKind.REJECTED, "Magic Hour answered 422: unsupported type")
        stages.provider.problems = [unsupported] * 12
        gifs = [Item(found(b"%d.gif" % number)) for number in range(200)]
        for item in gifs:
            stages.batcher.add(item)
        await stages.advance(5.0)
        calls = stages.provider.sizes
        assert len(calls) <= 12
        assert {(outcome.item, outcome.state, outcome.by_service) for outcome in stages.settled} == {
            (item, FileState.REJECTED, True) for item in gifs
        }
        stages.provider.problems = []
        stages.add(3)
        stages.end_scan()
        await stages.advance(5.0)
        assert not stages.run.stop.requested
        assert stages.ready.ready == 3


async def test_a_group_whose_files_are_all_rejected_beforehand_is_no_answer() -> None:
    """No call is made for it, so a service that never answers still ends the run soon."""
    async with Stages(batch_size=2) as stages:
        stages.provider.rejections = {"0.mp4": Rejection("too long"), "1.mp4": Rejection("too long")}
        stages.provider.problems = [Problem(ProblemKind.UNREACHABLE, "no route")] * 10
        stages.add(4)
        await stages.advance(60.0)
        assert stages.run.stop.requested
        assert stages.provider.sizes == [2] * stages.run.options.retry.first_contact_tries


async def test_a_group_without_a_ticket_does_not_change_the_known_lease() -> None:
    """The next groups stay as small as the lease of earlier tickets demands."""
    async with Stages(lease=20.0, batch_size=50, concurrency=4) as stages:
        stages.add(50)
        await stages.use(50)
        stages.provider.rejections = {"50.mp4": Rejection("too long")}
        stages.add(1, start=50)
        await stages.advance(1.0)
        stages.add(100, start=51)
        await stages.advance(1.0)
        assert max(stages.provider.sizes[1:]) < 50


async def test_files_refused_for_different_reasons_are_rejected_each_for_its_own() -> None:
    """Nothing is ever accepted, and the files that wait for a decision must not fill the budget."""
    async with Stages(batch_size=10) as stages:
        reasons = ["the name is too long", "the type is unknown"]
        stages.provider.problems = [Problem(ProblemKind.REJECTED, reasons[n % 2]) for n in range(200)]
        stages.add(40)
        stages.end_scan()
        for _ in range(4):  # many calls follow one another without a pause
            await stages.advance(1.0)
        assert [outcome.state for outcome in stages.settled] == [FileState.REJECTED] * 40
        assert not stages.run.stop.requested
