"""Groups of files and their presign calls, under a clock that the test moves."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from stage_world import Stages

from bulkup.model.http import ApiCall
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.model.tickets import Rejection, Ticket
from bulkup.providers import FileSpec


async def test_a_group_refused_for_one_file_is_halved_until_that_file_stands_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The others get their tickets, and exactly one is rejected."""
    async with Stages(batch_size=8) as stages:
        real = stages.provider.presign

        async def presign(specs: Sequence[FileSpec], call: ApiCall) -> Sequence[Ticket | Rejection]:
            if any(spec.path == "3.mp4" for spec in specs):
                raise ProblemError(Problem(ProblemKind.REJECTED, "bad"))
            return await real(specs, call)

        monkeypatch.setattr(stages.provider, "presign", presign)
        stages.add(8)
        await stages.advance(1.0)
        assert len(await stages.use()) == 7
        assert [outcome.item.file.path for outcome in stages.settled] == [b"3.mp4"]


async def test_a_renewed_file_is_asked_for_alone() -> None:
    """A ticket that ran out costs one new ticket, for that file."""
    async with Stages(batch_size=5) as stages:
        stages.add(5)
        files = await stages.use()
        stages.run.counters.scan_done = True
        stages.batcher.renew(files[2].item)
        again = await stages.use()
        assert [file.item for file in again] == [files[2].item]
        assert stages.provider.asked[1:] == [["2.mp4"]]
        assert stages.run.counters.presign_renewed == 1


async def test_refused_credentials_end_the_run_and_give_everything_back() -> None:
    """No further call goes out, and every file is left to the next run."""
    async with Stages(batch_size=5) as stages:
        stages.provider.problems = [Problem(ProblemKind.UNAUTHORIZED, "no")]
        stages.add(12)
        await stages.advance(60.0)
        assert stages.provider.sizes == [5]
        assert stages.run.stop.requested
        assert len(stages.settled) == 12
        assert {outcome.state for outcome in stages.settled} == {None}
