"""Files in parts: parts as items of their own, and the end of their file."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import anyio
import pytest
from stage_world import Passed, StageRun, found, settled, until

from bulkup.errors import ExitCode, JournalError
from bulkup.helpers.secrets import SecretUrl
from bulkup.model.files import Digest, FoundFile, Identity, Source
from bulkup.model.items import Item, Outcome, Stored, Ticketed
from bulkup.model.problems import Problem, ProblemKind
from bulkup.model.states import FileState
from bulkup.model.tickets import PartPlan, Receipt, SentPart, Ticket
from bulkup.pipeline import RetryPolicy
from bulkup.pipeline.parts import Parts

REFUSED = Problem(ProblemKind.FAILED, "storage refuses it")
CHANGED = Problem(ProblemKind.CHANGED, "it changed while it was read")
GONE = Problem(ProblemKind.GONE, "there is no such upload")


def large(count: int = 5, sent: Sequence[int] = (), path: bytes = b"large.mov") -> Ticketed:
    """Return a file of `count` parts of 10 bytes, but for the last one of 3. An earlier run sent those in `sent`."""
    item = Item(found(path, (count - 1) * 10 + 3))
    item.parts = tuple(SentPart(number, f"e{number}", None, verified=True) for number in sent)
    item.ticket = Ticket(SecretUrl("https://s.example/large.mov"), "large?1", parts=PartPlan(10, count, "large"))
    return Ticketed(item, item.ticket)


class Here(StageRun):
    """The stage, with routes that keep all values, and room for two parts per worker."""

    def __init__(self, workers: int = 1, *, lease: float | None = None, retry: RetryPolicy | None = None) -> None:
        super().__init__(lease, concurrency=workers, retry=retry or RetryPolicy())
        self.run.worker_limit.want(workers)
        self.passed = Passed(self.events)
        self.routes = self.passed.routes
        self.parts = Parts(self.run, self.routes)
        self.parts.take_over()

    @property
    def out(self) -> list[Ticketed]:
        """The parts that were passed to the workers so far."""
        return self.passed.through("send")

    @property
    def numbers(self) -> list[int]:
        return [file.item.part.number for file in self.out if file.item.part is not None]

    async def store(self, *files: Ticketed, identity: Identity | None = None, verified: bool = True) -> None:
        """Report parts as stored, as workers do."""
        for file in files:
            receipt = Receipt(Digest(b"d" * 16), identity or file.item.file.identity, "e", verified, 0.0)
            await self.routes.part_sent(file, receipt)
        await settled()

    async def store_all(self) -> None:
        """Store parts until no more come."""
        done = 0
        while done < len(self.out):
            done += 1
            await self.store(self.out[done - 1])

    def stop(self) -> None:
        self.run.stop.request(ExitCode.SIGTERM)
        self.parts.wake()

    def assert_left(self) -> None:
        """Assert that one file ended, that it is left to the next run, and that the progress has no bytes of it."""
        assert [(outcome.item.file.path, outcome.state) for outcome in self.passed.settled] == [(b"large.mov", None)]
        assert self.run.counters.bytes_moving == 0


async def test_files_without_a_plan_pass_through() -> None:
    """So do their results of any kind."""
    here = Here()
    item = Item(found(b"small.mp4"))
    ticket = Ticket(SecretUrl("https://s.example/small"), "small")
    outcome = Outcome(item, FileState.FAILED, REFUSED)
    here.routes.send(Ticketed(item, ticket))
    here.routes.resume(item, ticket)
    here.routes.renew(item)
    here.routes.settle(outcome)
    here.routes.give_up(outcome)
    here.routes.recheck(item, CHANGED, 1.0)
    assert here.events == ["send", "resume", "renew", "settle", "give_up", "recheck"]
    assert here.passed.through("recheck") == [(item, CHANGED, 1.0)]
    assert here.run.counters.reused_tickets == 0


@pytest.mark.parametrize(("workers", "first"), [(1, [1, 2]), (2, [1, 2, 3, 4]), (8, [1, 2, 3, 4, 5])])
async def test_two_parts_for_each_worker_are_on_their_way(workers: int, first: list[int]) -> None:
    """Their tickets are requested in one call. As parts are stored, others follow."""
    here = Here(workers)
    async with here.working(here.parts.work):
        here.routes.send(large(5))
        await settled()
        assert (here.provider.parts_asked, here.numbers) == ([first], first)
        await here.store(here.out[0])
        assert here.numbers == [1, 2, 3, 4, 5][: len(first) + 1]


async def test_the_second_file_follows_the_first() -> None:
    here = Here()
    async with here.working(here.parts.work):
        here.routes.send(large(3))
        here.routes.send(large(2, path=b"second.mov"))
        await settled()
        assert here.routes.unused_tickets() == 1  # of the second file
        await here.store_all()
    paths = [file.item.file.path for file in here.out]
    assert paths == [b"large.mov"] * 3 + [b"second.mov"] * 2
    assert [stored.item.file.path for stored in here.passed.through("close")] == [b"large.mov", b"second.mov"]
    assert here.routes.unused_tickets() == 0


async def test_a_worker_is_free_when_the_row_of_its_part_is_on_disk() -> None:
    """So a kill sends no more parts again than there are workers."""
    here = Here()
    async with here.working(here.parts.work):
        here.routes.send(large(5))
        await settled()
        here.journal.held = anyio.Event()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(here.store, here.out[0])
            await settled()
            assert (here.journal.calls, here.numbers) == (["part_sent"], [1, 2])
            here.journal.held.set()
    (item, ticket, part) = here.journal.arguments[0]
    assert (item.file.path, ticket.remote_id) == (b"large.mov", "large?1")
    assert part == SentPart(1, "e", Digest(b"d" * 16), verified=True)


@pytest.mark.parametrize("verified", [True, False])
async def test_a_file_is_closed_when_storage_has_all_its_parts(verified: bool) -> None:
    """Its row says so before. It counts as verified if each part does."""
    here = Here()
    async with here.working(here.parts.work):
        here.routes.send(file := large(3))
        await settled()
        await here.store(here.out[1])
        await here.store(here.out[0], verified=verified)
        assert here.run.counters.bytes_moving == 20
        await here.store(here.out[2])
    (stored,) = here.passed.through("close")
    assert isinstance(stored, Stored)
    assert (stored.item, stored.ticket) == (file.item, file.ticket)
    assert [part.number for part in stored.receipt.parts] == [1, 2, 3]
    assert (stored.receipt.verified, stored.receipt.digest) == (verified, None)
    assert here.events[-2:] == ["stored", "close"]
    assert here.run.counters.bytes_moving == 0


async def test_the_file_has_the_attempts_of_its_most_attempted_part() -> None:
    here = Here()
    async with here.working(here.parts.work):
        here.routes.send(large(2))
        await settled()
        here.out[0].item.history.attempts, here.out[1].item.history.attempts = 4, 1
        await here.store(*here.out)
    (stored,) = here.passed.through("close")
    assert stored.item.history.attempts == 4


async def test_parts_of_an_earlier_run_are_not_sent_again() -> None:
    here = Here()
    async with here.working(here.parts.work):
        here.routes.resume(*large(5, sent=(1, 3, 4))[:2])
        assert here.run.counters.bytes_moving == 30
        await settled()
        assert here.numbers == [2, 5]
        await here.store_all()
    (stored,) = here.passed.through("close")
    assert [part.etag for part in stored.receipt.parts] == ["e1", "e", "e3", "e4", "e"]
    assert (here.run.counters.reused_tickets, here.run.counters.bytes_moving) == (1, 0)


async def test_a_file_whose_parts_an_earlier_run_sent_is_closed_without_a_call() -> None:
    here = Here()
    async with here.working(here.parts.work):
        here.routes.resume(*large(3, sent=(1, 2, 3))[:2])
        await settled()
    assert (here.provider.parts_asked, here.out) == ([], [])
    assert here.events == ["stored", "close"]
    assert here.run.counters.bytes_moving == 0


async def test_a_part_that_is_given_up_ends_its_file_when_the_others_are_back() -> None:
    """With its reason and attempts. A part that storage took meanwhile is not recorded, because all are deleted."""
    here = Here(workers=2)
    async with here.working(here.parts.work):
        here.routes.send(file := large(6))
        await settled()
        here.out[1].item.history.attempts = 7
        here.routes.give_up(Outcome(here.out[1].item, FileState.FAILED, REFUSED))
        here.routes.give_up(Outcome(here.out[2].item, FileState.UNREADABLE, CHANGED))
        await here.store(here.out[0])
        assert (here.passed.through("give_up"), here.journal.calls) == ([], [])
        await here.store(here.out[3])
    (outcome,) = here.passed.through("give_up")
    assert (outcome.item, outcome.state, outcome.problem) == (file.item, FileState.FAILED, REFUSED)
    assert file.item.history.attempts == 7
    assert (here.numbers, here.run.counters.bytes_moving) == ([1, 2, 3, 4], 0)


async def test_room_that_a_given_up_file_leaves_is_for_the_next_file() -> None:
    here = Here()
    async with here.working(here.parts.work):
        here.routes.send(large(5))
        here.routes.send(large(2, path=b"second.mov"))
        await settled()
        here.routes.settle(Outcome(here.out[0].item, FileState.FAILED, REFUSED))
        await settled()
        assert here.numbers == [1, 2, 1]
        await here.store(*here.out[1:])
        await here.store(*here.out[3:])
    assert [outcome.item.file.path for outcome in here.passed.through("give_up")] == [b"large.mov"]
    assert [stored.item.file.path for stored in here.passed.through("close")] == [b"second.mov"]


@pytest.mark.parametrize(
    ("policy", "route"), [("skip", "give_up"), ("fail", "give_up"), ("retry", "recheck")], ids=lambda value: value
)
@pytest.mark.parametrize("found_by", ["worker", "receipt"])
async def test_a_file_that_changed_is_treated_as_the_policy_says(
    policy: Literal["skip", "fail", "retry"], route: str, found_by: str
) -> None:
    """Whether a worker noticed it, or storage took a part of another version."""
    here = Here(retry=RetryPolicy(on_change=policy, rechecks=(3.0,)))
    async with here.working(here.parts.work):
        here.routes.send(file := large(5))
        await settled()
        if found_by == "worker":
            here.routes.recheck(here.out[0].item, CHANGED, 99.0)
        else:
            await here.store(here.out[0], identity=Identity(44, 2, 3, 4, 5))
        await here.store(here.out[1])
    assert here.events[-1] == route
    assert (here.numbers, here.journal.calls, here.run.counters.bytes_moving) == ([1, 2], [], 0)
    if route == "recheck":
        ((item, problem, at),) = here.passed.through(route)
        assert (item, at) == (file.item, here.clock.time + 3.0)
    else:
        (outcome,) = here.passed.through(route)
        assert outcome.item is file.item
        assert outcome.state is (FileState.CHANGED if policy == "skip" else FileState.FAILED)
        problem = outcome.problem
    assert problem is not None
    assert problem.kind is ProblemKind.CHANGED


async def test_the_url_of_a_part_is_renewed_alone() -> None:
    here = Here()
    async with here.working(here.parts.work):
        here.routes.send(large(5))
        await settled()
        here.routes.renew(here.out[1].item)
        await settled()
        assert here.provider.parts_asked == [[1, 2], [2]]
        assert here.out[2].item is here.out[1].item
        await here.store(here.out[2])
        assert here.numbers == [1, 2, 2, 3]


async def test_a_part_of_a_file_that_was_given_up_is_not_renewed() -> None:
    here = Here()
    async with here.working(here.parts.work):
        here.routes.send(large(5))
        await settled()
        here.routes.give_up(Outcome(here.out[0].item, FileState.FAILED, REFUSED))
        here.routes.renew(here.out[1].item)
        await settled()
    assert here.provider.parts_asked == [[1, 2]]
    assert len(here.passed.through("give_up")) == 1


async def test_a_file_whose_upload_is_lost_begins_anew_twice() -> None:
    """Then it fails: storage may lose each of its uploads."""
    here = Here()
    file = large(5)
    async with here.working(here.parts.work):
        for _ in range(3):
            before = len(here.out)
            here.routes.send(file)
            await settled()
            lost = here.out[before].item
            lost.history.note(GONE, here.clock.time)
            here.routes.renew(lost)
            await here.store(here.out[before + 1])
    assert here.passed.through("renew") == [file.item] * 2
    (outcome,) = here.passed.through("give_up")
    assert (outcome.item, outcome.state) == (file.item, FileState.FAILED)
    assert "lost the parts of several uploads" in (outcome.problem.message if outcome.problem is not None else "")
    assert here.run.counters.bytes_moving == 0


async def test_a_stop_leaves_the_file_with_the_parts_that_are_on_their_way() -> None:
    """They are recorded, so the next run does not send them again. No further parts begin."""
    here = Here()
    async with here.working(here.parts.work):
        here.routes.send(large(5))
        await settled()
        here.stop()
        assert here.passed.settled == []
        await here.store(here.out[0])
        here.routes.settle(Outcome(here.out[1].item, None))
        await settled()
    assert (here.numbers, here.journal.calls) == ([1, 2], ["part_sent"])
    here.assert_left()


async def test_a_stop_when_the_last_parts_are_on_their_way_completes_the_file() -> None:
    here = Here()
    async with here.working(here.parts.work):
        here.routes.send(large(2))
        await settled()
        here.stop()
        await here.store(*here.out)
    assert len(here.passed.through("close")) == 1
    assert here.passed.settled == []


async def test_a_stop_when_a_last_part_comes_back_leaves_the_file() -> None:
    here = Here()
    async with here.working(here.parts.work):
        here.routes.send(large(2))
        await settled()
        here.stop()
        here.routes.settle(Outcome(here.out[0].item, None))
        await here.store(here.out[1])
    assert here.journal.calls == ["part_sent"]
    here.assert_left()


@pytest.mark.parametrize("sent", [(), (1, 2, 3)], ids=["none sent", "all sent"])
async def test_a_file_that_arrives_after_a_stop_is_left(sent: tuple[int, ...]) -> None:
    here = Here()
    here.stop()
    async with here.working(here.parts.work):
        here.routes.resume(*large(3, sent)[:2])
        await settled()
    assert (here.provider.parts_asked, here.journal.calls) == ([], [])
    here.assert_left()


async def test_calls_that_were_not_made_before_a_stop_leave_their_file() -> None:
    here = Here()
    here.routes.send(large(5))  # no loop makes its call
    here.stop()
    async with here.working(here.parts.work):
        pass
    assert here.provider.parts_asked == []
    here.assert_left()


async def test_a_call_that_is_refused_for_every_file_ends_the_run_and_leaves_this_one() -> None:
    here = Here()
    here.provider.problems = [Problem(ProblemKind.UNAUTHORIZED, "the session has ended")]
    async with here.working(here.parts.work):
        here.routes.send(large(5))
        await here.advance(60.0)
    assert here.run.stop.error is not None
    assert here.provider.parts_asked == [[1, 2]]
    here.assert_left()


async def test_a_call_that_is_refused_for_its_file_gives_the_file_up() -> None:
    here = Here()
    here.provider.problems = [REFUSED]
    async with here.working(here.parts.work):
        here.routes.send(file := large(5))
        await here.advance(60.0)
    (outcome,) = here.passed.through("give_up")
    assert (outcome.item, outcome.state, outcome.problem) == (file.item, FileState.FAILED, REFUSED)
    assert (here.provider.parts_asked, here.run.counters.bytes_moving) == ([[1, 2]], 0)


async def test_a_call_that_fails_is_made_again_for_the_same_parts() -> None:
    here = Here()
    here.provider.problems = [Problem(ProblemKind.TRANSIENT, "busy")]
    async with here.working(here.parts.work):
        here.routes.send(large(5))
        await here.advance(60.0)
        assert here.provider.parts_asked == [[1, 2], [1, 2]]
        assert here.numbers == [1, 2]


def on_disk(folder: Path, content: bytes) -> Ticketed:
    """Return a file with these bytes, in parts of 10 bytes."""
    (folder / "large.mov").write_bytes(content)
    file = FoundFile(Source(os.fsencode(folder)), b"large.mov", Identity.of((folder / "large.mov").stat()))
    plan = PartPlan(10, -(-len(content) // 10), "large")
    ticket = Ticket(SecretUrl("https://s.example/large.mov"), "large?1", parts=plan)
    return Ticketed(Item(file, ticket), ticket)


async def test_parts_are_hashed_one_by_one_where_their_tickets_need_it(tmp_path: Path) -> None:
    here, content = Here(), os.urandom(25)
    here.provider.can(part_checksum="sha256")
    async with here.working(here.parts.work):
        here.routes.send(on_disk(tmp_path, content))
        await until(lambda: len(here.out) == 2)
        await here.store(*here.out)
        await until(lambda: len(here.out) == 3)
    assert sorted(here.provider.parts_asked) == [[1], [2], [3]]
    expected = [hashlib.sha256(content[start : start + 10]).digest() for start in (0, 10, 20)]
    digests = dict(zip(here.numbers, (file.item.digest for file in here.out), strict=True))
    assert digests == {number: Digest(value, "sha256") for number, value in enumerate(expected, start=1)}


async def test_a_file_that_changed_before_its_part_was_hashed_gets_no_ticket_for_it(tmp_path: Path) -> None:
    here = Here()
    here.provider.can(part_checksum="sha256")
    async with here.working(here.parts.work):
        file = on_disk(tmp_path, os.urandom(25))
        (tmp_path / "large.mov").write_bytes(os.urandom(26))
        here.routes.send(file)
        await until(lambda: bool(here.passed.through("give_up")))
    (outcome,) = here.passed.through("give_up")
    assert (outcome.item, outcome.state) == (file.item, FileState.CHANGED)
    assert (here.provider.parts_asked, here.run.counters.bytes_moving) == ([], 0)


async def test_an_error_of_the_journal_reaches_the_worker() -> None:
    here = Here()
    async with here.working(here.parts.work):
        here.routes.send(large(5))
        await settled()
        here.journal.error = JournalError("the disk is full")
        with pytest.raises(JournalError):
            await here.store(here.out[0])
    assert here.passed.through("close") == []


async def test_the_parts_of_a_paused_run_get_no_tickets() -> None:
    """Parts that are stored meanwhile are recorded, and the next ones follow after the pause."""
    here = Here()
    async with here.working(here.parts.work):
        here.routes.send(large(5))
        await settled()
        here.run.pause.begin(here.clock.time)
        await here.store(*here.out)
        assert here.numbers == [1, 2]
        here.run.pause.end(here.clock.time)
        await settled()
        assert here.numbers == [1, 2, 3, 4]
