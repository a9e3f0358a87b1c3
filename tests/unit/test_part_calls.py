"""The calls for files in parts, over a stage that keeps all values it receives."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import pytest
from stage_world import StageRun, found
from structlog.testing import capture_logs

from bulkup.helpers.secrets import SecretUrl
from bulkup.model.files import Algorithm, Digest
from bulkup.model.items import Item, Outcome, PartUpload, Ticketed
from bulkup.model.log_events import LogEvent
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.model.states import FileState
from bulkup.model.tickets import PartPlan, Ticket
from bulkup.pipeline.part_calls import PartsComplete, PartTickets

BUSY = Problem(ProblemKind.TRANSIENT, "busy")


class Owner:
    """A stage that keeps the names of its methods, with the numbers of parts or the state."""

    def __init__(self) -> None:
        self.told: list[tuple[str, object]] = []
        self.unreadable: list[Item] = []

    async def complete(self, upload: PartUpload) -> None:
        self.told.append(("complete", upload))

    def fail(self, upload: PartUpload, outcome: Outcome) -> None:
        self.told.append(("fail", outcome.state))

    def leave(self, upload: PartUpload) -> None:
        self.told.append(("leave", upload))

    async def hashed(self, item: Item, algorithm: Algorithm) -> bool:
        self.told.append(("hashed", algorithm))
        item.digest = None if item in self.unreadable else Digest(bytes(32), algorithm)
        return item.digest is not None

    def given_back(self, items: Sequence[Item]) -> None:
        self.told.append(("given back", [item.part.number for item in items if item.part is not None]))


class Here(StageRun):
    """A file of four parts, of which two are to be sent."""

    def __init__(self, lease: float | None = None) -> None:
        super().__init__(lease)
        ticket = Ticket(SecretUrl("https://s.example/a"), "a?1", parts=PartPlan(10, 4, "a"))
        self.upload = PartUpload(Item(found(b"a", 40)), ticket, deque(), {})
        self.items = [Item(self.upload.item.file, part=self.upload.part(number)) for number in (2, 3)]
        self.owner = Owner()
        self.sent: list[Ticketed] = []
        self.call = PartTickets(self.upload, self.items, self.run, self.sent.append, self.owner)


async def test_the_parts_are_passed_on_with_tickets_of_their_own() -> None:
    here = Here(lease=600.0)
    assert await here.call.make()
    assert here.provider.parts_asked == [[2, 3]]
    assert [file.item for file in here.sent] == here.items
    assert [file.ticket.remote_id for file in here.sent] == ["part-2", "part-3"]
    assert [item.ticket for item in here.items] == [file.ticket for file in here.sent]
    assert {file.asked_at for file in here.sent} == {here.clock.time}
    # They are renewed a little before they end, by this machine's monotonic clock.
    assert all(here.clock.time < (file.renew_at or 0) < here.clock.time + 600 for file in here.sent)


async def test_tickets_without_an_end_are_never_renewed() -> None:
    here = Here()
    await here.call.make()
    assert [file.renew_at for file in here.sent] == [None, None]


async def test_no_call_is_made_for_an_upload_that_has_ended() -> None:
    here = Here()
    here.upload.ended = True
    assert not await here.call.make()
    assert (here.provider.parts_asked, here.sent) == ([], [])
    assert here.owner.told == [("given back", [2, 3])]


async def test_a_call_that_fails_is_logged_and_made_again() -> None:
    here = Here()
    here.provider.problems = [BUSY]
    with pytest.raises(ProblemError):
        await here.call.make()
    assert (here.sent, here.owner.told) == ([], [])
    with capture_logs() as logs:
        here.call.log_repetition(BUSY, 2.0)
    assert [entry["event"] for entry in logs] == [LogEvent.PRESIGN_FAILED]
    assert await here.call.make()
    assert here.provider.parts_asked == [[2, 3], [2, 3]]


def test_a_call_that_is_given_up_fails_the_file_and_returns_the_parts() -> None:
    here = Here()
    here.call.give_up(FileState.FAILED, BUSY)
    assert here.owner.told == [("fail", FileState.FAILED)] * 2 + [("given back", [2, 3])]


def test_a_call_that_is_not_made_returns_the_parts() -> None:
    here = Here()
    here.call.give_back()
    assert here.owner.told == [("given back", [2, 3])]


async def test_an_upload_that_an_earlier_run_sent_is_only_completed() -> None:
    """It makes no request, so it takes no place at the gate of the API."""
    here = Here()
    complete = PartsComplete(here.upload, here.owner)
    assert not await complete.make()
    complete.give_back()
    assert here.owner.told == [("complete", here.upload), ("leave", here.upload)]


async def test_parts_are_hashed_once_for_their_tickets() -> None:
    here = Here()
    here.provider.can(part_checksum="sha256")
    here.provider.problems = [BUSY]
    with pytest.raises(ProblemError):
        await here.call.make()
    assert await here.call.make()
    assert here.owner.told == [("hashed", "sha256")] * 2
    assert (len(here.sent), here.provider.parts_asked[-1]) == (2, [2, 3])


async def test_a_part_that_cannot_be_hashed_gets_no_ticket() -> None:
    here = Here()
    here.provider.can(part_checksum="sha256")
    here.owner.unreadable = here.items[:1]
    assert await here.call.make()
    assert here.provider.parts_asked == [[3]]
    here.owner.unreadable, here.items[1].digest = here.items, None
    assert not await here.call.make()
    assert here.provider.parts_asked == [[3]]
