"""The batcher: groups of files, and their presign calls."""

from __future__ import annotations

import anyio
from stage_world import Stages, settled

from bulkup import ExitCode
from bulkup.model.problems import Problem, ProblemKind


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
