"""One presign call: the rows written before and after it, and answers that cannot be used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from stage_world import Passed, StageRun, found, ticket

from bulkup.errors import JournalError
from bulkup.helpers.secrets import SecretUrl
from bulkup.model.files import Digest
from bulkup.model.history import CallHistory
from bulkup.model.items import Item, Outcome, Ticketed
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.model.states import FileState
from bulkup.model.tickets import AlreadyThere, PartsSent, Receipt, Rejection, Ticket
from bulkup.pipeline.presign.request import TicketRequest


class RequestStage(StageRun):
    """Presign calls alone. `answered` are the files that got a ticket."""

    def __init__(self, lease: float | None = None, **options: Any) -> None:
        super().__init__(lease, **options)
        self.passed = Passed(self.events)
        self.answered: list[Ticketed] = []
        self.undecided: list[tuple[Sequence[Item], Problem | None]] = []
        self.run.service_refusals.accepted = True  # by an earlier call

    def request(self, items: Sequence[Item]) -> TicketRequest:
        return TicketRequest(items, self.run, self.passed.routes, self._answered, self._undecided)

    def _answered(self, files: Sequence[Ticketed]) -> None:
        self.events.append("answered")
        self.answered += files

    def _undecided(self, items: Sequence[Item], problem: Problem | None) -> None:
        self.undecided.append((items, problem))

    async def failure(self, *items: Item) -> Problem:
        """Make a call that fails, and return the problem."""
        with pytest.raises(ProblemError) as raised:
            await self.request(items).make()
        return raised.value.problem


def items(count: int) -> list[Item]:
    return [Item(found(b"%d.mp4" % number)) for number in range(count)]


async def test_the_intent_is_on_disk_before_the_call_and_the_tickets_before_the_files_go_on() -> None:
    stage, files = RequestStage(), items(3)
    await stage.request(files).make()
    assert stage.events == ["asked", "presign", "ticketed", "answered"]
    (asked, replaced, _), (answered, tickets) = stage.journal.arguments
    assert (asked.items, replaced) == (files, [])
    assert answered is asked
    assert tickets == [item.ticket for item in files]
    assert [(file.item, file.ticket) for file in stage.answered] == list(zip(files, tickets, strict=True))
    assert (stage.run.counters.presign_calls, stage.run.counters.presign_files) == (1, 3)


async def test_no_call_is_made_without_the_intent_on_disk() -> None:
    stage = RequestStage()
    stage.journal.error = JournalError("the disk is full")
    with pytest.raises(JournalError):
        await stage.request(items(1)).make()
    assert stage.events == ["asked"]


async def test_an_old_ticket_becomes_an_orphan_with_the_intent() -> None:
    """Its parts do not count for the new ticket."""
    stage, (old, new) = RequestStage(), items(2)
    former = old.ticket = ticket("former")
    old.sent = PartsSent(1, 10, None, None, verified=True)
    await stage.request([old, new]).make()
    assert stage.journal.arguments[0][1] == [(old, former)]
    assert old.ticket == stage.answered[0].ticket
    assert old.sent is None


async def test_an_old_ticket_is_not_used_after_a_failed_call() -> None:
    stage, (item,) = RequestStage(), items(1)
    item.ticket = ticket("former")
    stage.provider.problems = [Problem(ProblemKind.TRANSIENT, "busy")]
    await stage.failure(item)
    assert item.ticket is None


async def test_tickets_are_renewed_before_their_lease_ends() -> None:
    """The margin is taken off. The time is monotonic, so a clock that is set does not change it."""
    stage = RequestStage(lease=100.0, lease_margin=15.0)
    await stage.request(items(1)).make()
    assert stage.answered[0].renew_at == stage.clock.time + 85.0


async def test_a_file_that_the_service_refuses_is_not_asked_for() -> None:
    stage, (refused, other) = RequestStage(), items(2)
    stage.provider.rejections = {"0.mp4": Rejection("too large")}
    request = stage.request([refused, other])
    await request.make()
    assert (stage.provider.asked, request.files) == ([["1.mp4"]], 1)
    problem = Problem(ProblemKind.REJECTED, "too large")
    assert stage.passed.values == [("settle", Outcome(refused, FileState.REJECTED, problem))]


async def test_only_files_without_an_answer_are_asked_for_again() -> None:
    """A throttled one decides when."""
    stage, files = RequestStage(), items(4)
    busy, throttled = Problem(ProblemKind.TRANSIENT, "busy"), Problem(ProblemKind.THROTTLED, "slow down")
    stage.provider.later = {"1.mp4": [busy], "2.mp4": [throttled]}
    request = stage.request(files)
    with pytest.raises(ProblemError) as raised:
        await request.make()
    assert (raised.value.problem, request.files, request.partly_answered) == (throttled, 2, True)
    assert [file.item for file in stage.answered] == [files[0], files[3]]
    await request.make()
    assert stage.provider.asked[1] == ["1.mp4", "2.mp4"]
    assert [file.item for file in stage.answered[2:]] == files[1:3]
    assert not request.partly_answered


async def test_a_problem_that_does_not_pass_fails_its_file() -> None:
    stage, (failing, other) = RequestStage(), items(2)
    problem = Problem(ProblemKind.FAILED, "its URL has expired")
    stage.provider.later = {"0.mp4": [problem]}
    await stage.request([failing, other]).make()
    assert stage.passed.values == [("settle", Outcome(failing, FileState.FAILED, problem))]
    assert [file.item for file in stage.answered] == [other]


async def test_a_file_that_the_service_has_is_settled_without_a_ticket() -> None:
    """It is verified if the service was asked with its digest. A file of another answer is not affected."""
    stage, (there, unhashed, other) = RequestStage(), items(3)
    stage.provider.answers = [AlreadyThere("oid", {"size": 5}), AlreadyThere("name"), ticket("b")]
    there.digest = Digest(b"d" * 16)
    await stage.request([there, unhashed, other]).make()
    assert [file.item for file in stage.answered] == [other]
    first, second = stage.passed.settled
    assert (first.item, first.state, first.already_there) == (there, FileState.UPLOADED, True)
    assert (second.item, second.state, second.already_there) == (unhashed, FileState.UNVERIFIED, True)
    assert there.receipt == Receipt(there.digest, there.file.identity, None, True, stage.clock.now())
    assert there.ticket == Ticket(SecretUrl(""), "oid", remote={"size": 5, "already_there": True})
    assert stage.journal.arguments[1][1] == [None, None, other.ticket]
    assert stage.run.counters.presign_files == 1


async def test_a_service_that_has_the_files_has_accepted_files() -> None:
    """Refusals of others are theirs alone."""
    stage, (item,) = RequestStage(), items(1)
    stage.run.service_refusals.accepted = False
    stage.provider.answers = [AlreadyThere("oid")]
    await stage.request([item]).make()
    assert stage.run.service_refusals.accepted


async def test_no_intent_is_recorded_where_a_call_creates_no_ids() -> None:
    """The tickets are on disk before the files go on, and an old ticket is valid until then."""
    stage, (old, new) = RequestStage(), items(2)
    stage.provider.can(creates_ids=False)
    former = old.ticket = ticket("former")
    stage.provider.problems = [Problem(ProblemKind.TRANSIENT, "busy", maybe_created=True)]
    request = stage.request([old, new])
    with pytest.raises(ProblemError) as raised:
        await request.make()
    await request.note_failure(raised.value.problem, stage.clock.time)
    assert (stage.events, old.ticket) == (["presign"], former)
    await request.make()
    assert stage.events == ["presign", "presign", "issued", "answered"]
    (group, replaced, tickets, _) = stage.journal.arguments[0]
    assert (group.items, replaced, tickets) == ([old, new], [(old, former)], [old.ticket, new.ticket])


async def test_tickets_without_a_call_are_not_counted_as_one() -> None:
    stage = RequestStage()
    stage.provider.can(signs_locally=True)
    await stage.request(items(2)).make()
    assert (stage.run.counters.presign_calls, stage.run.counters.presign_files) == (0, 2)


async def test_no_call_is_made_for_no_file() -> None:
    stage = RequestStage()
    stage.provider.rejections = {"0.mp4": Rejection("too large")}
    await stage.request(items(1)).make()
    assert (stage.events, stage.run.counters.presign_calls) == (["settle"], 0)


async def test_a_rejection_in_the_answer_settles_that_file_alone() -> None:
    stage, (refused, other) = RequestStage(), items(2)
    stage.provider.answers = [Rejection("no room"), ticket("b")]
    await stage.request([refused, other]).make()
    assert [file.item for file in stage.answered] == [other]
    problem = Problem(ProblemKind.REJECTED, "no room")
    assert stage.passed.values == [("settle", Outcome(refused, FileState.REJECTED, problem, by_service=True))]
    assert stage.run.counters.presign_files == 1


@pytest.mark.parametrize("number", [0, 1, 3])
async def test_a_wrong_number_of_tickets_is_never_passed_on(number: int) -> None:
    """A file might get the URL of another one. The ids that the call created are unknown."""
    stage = RequestStage()
    stage.provider.answers = [ticket(f"id-{n}") for n in range(number)]
    problem = await stage.failure(*items(2))
    assert problem == Problem(ProblemKind.UNUSABLE, f"{number} tickets for 2 files", maybe_created=True)
    assert (stage.events, stage.answered) == (["asked", "presign"], [])


async def test_an_id_of_another_file_is_never_passed_on() -> None:
    """Also where another call issued it, as behind a cache that repeats an answer."""
    stage, (one, other, third) = RequestStage(), items(3)
    stage.provider.answers = [ticket("a")]
    await stage.request([one]).make()
    problem = await stage.failure(other)
    assert (problem.kind, problem.maybe_created) == (ProblemKind.TRANSIENT, True)
    stage.provider.answers = [ticket("b"), ticket("b")]
    await stage.failure(other, third)
    assert [file.item for file in stage.answered] == [one]


async def test_the_object_of_another_file_is_never_passed_on() -> None:
    """It has another id and another signature, and comes from another call."""
    stage, (one, other) = RequestStage(), items(2)
    stage.provider.answers = [Ticket(SecretUrl("https://s.example/a?Signature=x"), "a")]
    await stage.request([one]).make()
    stage.provider.answers = [Ticket(SecretUrl("https://S.example/a?Signature=y#1"), "b")]
    problem = await stage.failure(other)
    assert problem == Problem(
        ProblemKind.TRANSIENT, "the service returned a URL that belongs to another file", maybe_created=True
    )


async def test_a_file_may_get_the_same_id_again() -> None:
    """Some services name a file's id after the file."""
    stage, (item,) = RequestStage(), items(1)
    stage.provider.answers = [ticket("a")]
    await stage.request([item]).make()
    await stage.request([item]).make()
    assert len(stage.answered) == 2


@pytest.mark.parametrize("maybe_created", [True, False])
async def test_ids_that_a_failed_call_may_have_created_are_counted(maybe_created: bool) -> None:
    stage = RequestStage()
    request = stage.request(items(3))
    await request.note_failure(Problem(ProblemKind.TRANSIENT, "lost", maybe_created=maybe_created), 1000.0)
    assert stage.journal.calls == (["unknown_ids"] if maybe_created else [])
    assert stage.journal.arguments == ([(3, "lost", stage.clock.now())] if maybe_created else [])
    assert (request.history.failures, request.history.first_failure) == (1, 1000.0)


async def test_each_half_asks_for_its_files_and_starts_without_failures() -> None:
    stage = RequestStage()
    request = stage.request(items(5))
    await request.note_failure(Problem(ProblemKind.TRANSIENT, "lost"), 1000.0)
    for half in request.halves():
        assert half.history == CallHistory()
        await half.make()
    assert stage.provider.asked == [["0.mp4", "1.mp4"], ["2.mp4", "3.mp4", "4.mp4"]]


def test_files_that_are_given_up_are_settled_in_that_state() -> None:
    stage, files = RequestStage(), items(2)
    problem = Problem(ProblemKind.REJECTED, "wrong")
    stage.request(files).give_up(FileState.REJECTED, problem)
    assert stage.passed.settled == [Outcome(item, FileState.REJECTED, problem, by_service=True) for item in files]


def test_files_that_are_given_back_stay_for_the_next_run() -> None:
    stage, files = RequestStage(), items(2)
    stage.request(files).give_back()
    assert stage.passed.settled == [Outcome(item, None) for item in files]
