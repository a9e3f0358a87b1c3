"""Closing calls, and calls for files that are given up."""

from __future__ import annotations

import dataclasses

import pytest
from stage_world import Stages, found, settled

from bulkup.errors import ExitCode
from bulkup.helpers.secrets import SecretUrl
from bulkup.model.files import Digest
from bulkup.model.history import FileHistory
from bulkup.model.items import Item, Outcome, Stored
from bulkup.model.problems import Problem, ProblemKind
from bulkup.model.states import FileState
from bulkup.model.tickets import Receipt, Ticket

TICKET = Ticket(SecretUrl("https://s.example/"), "id")
FAILED = Problem(ProblemKind.FAILED, "storage refuses it")


def stored() -> Stored:
    item = Item(found(b"a.mp4"), TICKET, history=FileHistory(attempts=1))
    item.receipt = Receipt(Digest(b"d" * 16), item.file.identity, None, True, 0.0)
    return Stored(item, TICKET, item.receipt)


async def test_closing_calls_begin_when_other_calls_leave_room_for_them() -> None:
    """They share the gate of the API with presign calls, and begin when one of those has ended."""
    async with Stages(calls_in_flight=1) as stages:
        gate = stages.run.gates.api
        for _ in range(2):
            gate.begin()
        stages.closer.add(stored())
        await settled()
        assert stages.provider.closed == 0
        gate.end(None, stages.clock.time, stages.clock.time, 0.5)
        await settled()
        assert stages.provider.closed == 1
        assert [outcome.state for outcome in stages.settled] == [FileState.UPLOADED]


async def test_uploads_that_are_not_closed_are_given_back_when_the_run_stops() -> None:
    async with Stages(calls_in_flight=1) as stages:
        stages.run.stop.request(ExitCode.SIGTERM)
        stages.closer.add(stored())
        await settled()
        assert (stages.provider.closed, [outcome.state for outcome in stages.settled]) == (0, [None])


def abandoning(stages: Stages) -> None:
    capabilities = dataclasses.replace(stages.provider.capabilities, abandons=True)
    stages.provider.capabilities = capabilities


@pytest.mark.parametrize("problems", [[], [Problem(ProblemKind.TRANSIENT, "it broke")]])
async def test_a_file_given_up_is_settled_once_and_the_service_is_informed_once(problems: list[Problem]) -> None:
    """Its row is on disk before the call; whatever the answer, the file is settled without a second row."""
    async with Stages() as stages:
        abandoning(stages)
        stages.provider.problems = problems
        stages.closer.give_up(Outcome(Item(found(b"a.mp4"), TICKET), FileState.FAILED, FAILED))
        await stages.advance(60.0)
        assert stages.provider.abandoned == ["id"]
        assert stages.journal.calls == ["settled"]
        assert [(outcome.state, outcome.on_disk) for outcome in stages.settled] == [(FileState.FAILED, True)]


async def test_services_that_do_not_want_it_are_not_informed_of_files_given_up() -> None:
    async with Stages() as stages:
        stages.closer.give_up(Outcome(Item(found(b"a.mp4"), TICKET), FileState.FAILED, FAILED))
        await settled()
        assert (stages.provider.abandoned, len(stages.settled)) == ([], 1)
        assert not stages.settled[0].on_disk
