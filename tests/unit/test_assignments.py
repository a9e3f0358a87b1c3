"""Which file is with which worker: epochs, late records, and the need of a file whose worker was lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.cluster.assignments import ASK, CLOSE, HASH, RESUME, Assigned, Assignments, StaleRecordError, next_need
from bulkup.helpers.secrets import SecretUrl
from bulkup.model.files import Digest, FoundFile, Identity, Source
from bulkup.model.items import Item
from bulkup.model.tickets import Receipt, Ticket

TICKET = Ticket(SecretUrl("https://storage.example/x"), "id-1")
IDENTITY = Identity(10, 1, 1, 1, 1)
RECEIPT = Receipt(Digest(b"0" * 16), IDENTITY, None, True, 1.0)


def item(number: int = 0) -> Item:
    return Item(FoundFile(Source(b"/source"), b"%d" % number, IDENTITY))


def files(count: int) -> Assignments:
    assignments = Assignments()
    for number in range(count):
        assignments.add(ASK, item(number))
    return assignments


def take(assignments: Assignments, epoch: int, count: int) -> list[Assigned]:
    taken = [assignments.waiting.popleft() for _ in range(count)]
    assignments.give(epoch, taken)
    return taken


def test_a_record_counts_only_for_the_epoch_that_holds_the_file() -> None:
    assignments = files(2)
    first, second = take(assignments, 1, 2)
    assert assignments.held_by(1, first.number) is first
    with pytest.raises(StaleRecordError):
        assignments.held_by(2, first.number)
    assert assignments.settle(1, first.number) is first
    with pytest.raises(StaleRecordError):
        assignments.settle(1, first.number)
    assert assignments.settle(1, second.number) is second
    assert assignments.given == 0


def test_a_worker_that_was_given_up_and_returns_changes_nothing() -> None:
    assignments = files(3)
    taken = take(assignments, 1, 2)
    assert list(assignments.withdraw(1, lambda _: True)) == taken
    assert [file.number for file in assignments.waiting] == [1, 2, 3]  # before those that wait, in their order
    take(assignments, 2, 3)
    for number in (1, 2, 3):
        with pytest.raises(StaleRecordError):
            assignments.settle(1, number)
        assert assignments.settle(2, number).number == number


@pytest.mark.parametrize(
    ("need", "ticket", "asked", "stored", "digest", "reusable", "expected"),
    [
        (ASK, None, False, False, None, True, ASK),
        (ASK, TICKET, False, False, None, True, RESUME),
        (ASK, TICKET, False, False, None, False, ASK),  # as an earlier run's ticket that cannot be used
        (ASK, TICKET, True, False, None, True, ASK),  # it was being replaced
        (RESUME, TICKET, False, False, None, True, RESUME),
        (HASH, None, False, False, None, True, HASH),
        (HASH, None, False, False, Digest(b"1" * 16), True, ASK),
        (ASK, TICKET, False, True, None, True, CLOSE),
        (CLOSE, TICKET, False, False, None, False, CLOSE),
    ],
)
def test_the_need_of_a_file_whose_worker_was_lost(
    need: str, ticket: Ticket | None, asked: bool, stored: bool, digest: Digest | None, reusable: bool, expected: str
) -> None:
    one = item()
    one.ticket, one.digest = ticket, digest
    one.receipt = RECEIPT if stored or need == CLOSE else None
    assert next_need(Assigned(1, need, one, 1, asked, stored), lambda _: reusable) == expected


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(0, 3)), max_size=30))
def test_every_file_is_settled_once_whatever_workers_are_lost(steps: list[tuple[int, int]]) -> None:
    assignments, settled, held = files(20), list[int](), dict[int, list[Assigned]]()
    for epoch, (count, step) in enumerate(steps, start=1):
        held[epoch] = take(assignments, epoch, min(count, len(assignments.waiting)))
        if step == 0:
            assignments.withdraw(epoch, lambda _: True)
        for old, some in held.items():
            for file in some[:step]:
                try:
                    settled.append(assignments.settle(old, file.number).number)
                except StaleRecordError:
                    continue
    assert len(settled) == len(set(settled))
    assert len(settled) + assignments.given + len(assignments.waiting) == 20
