"""Tickets of an earlier run whose host does not answer: kept or replaced, as one new ticket shows."""

from __future__ import annotations

import pytest
from stage_world import found

from bulkup.model.items import Item
from bulkup.model.problems import Problem, ProblemKind
from bulkup.pipeline.policy.earlier_origins import EarlierOrigins, NextTicket

OLD, OTHER = "https://old.example", "https://other.example"
SILENT = Problem(ProblemKind.TRANSIENT, "no progress", unanswered=True)
NO_ANSWER = [SILENT, Problem(ProblemKind.UNREACHABLE, "refused"), Problem(ProblemKind.UNUSABLE, "certificate")]


def items(count: int) -> list[Item]:
    return [Item(found(b"%d.mp4" % number)) for number in range(count)]


@pytest.mark.parametrize("problem", NO_ANSWER)
def test_one_new_ticket_is_requested_for_an_origin(problem: Problem) -> None:
    origins, (first, second) = EarlierOrigins(), items(2)
    assert origins.failed(OLD, first, problem) is NextTicket.NEW
    assert origins.failed(OLD, second, problem) is NextTicket.WAIT
    assert origins.failed(OTHER, second, problem) is NextTicket.NEW
    assert not origins
    assert [origins.decided_by(item) for item in (first, second)] == [True, True]
    origins.renewed(first, OLD)
    assert not origins.decided_by(first)


def test_another_origin_in_the_new_ticket_replaces_all() -> None:
    origins, (first, second, third) = EarlierOrigins(), items(3)
    origins.failed(OLD, first, SILENT)
    origins.renewed(third, OTHER)
    assert not origins
    origins.renewed(first, OTHER)
    assert origins
    assert (origins.left(OLD), origins.left(OTHER)) == (True, False)
    assert origins.failed(OLD, second, SILENT) is NextTicket.NEW


def test_the_same_origin_in_the_new_ticket_keeps_all() -> None:
    """Its host is down for a while."""
    origins, (first, second) = EarlierOrigins(), items(2)
    origins.failed(OLD, first, SILENT)
    origins.renewed(first, OLD)
    origins.renewed(first, OTHER)
    assert not origins
    assert origins.failed(OLD, second, SILENT) is NextTicket.SAME


@pytest.mark.parametrize("kind", [ProblemKind.THROTTLED, ProblemKind.TRANSIENT, ProblemKind.REFUSED])
def test_a_host_that_answers_is_asked_as_usual(kind: ProblemKind) -> None:
    origins, (first,) = EarlierOrigins(), items(1)
    assert origins.failed(OLD, first, Problem(kind, "answered")) is NextTicket.SAME


def test_a_file_that_gets_no_new_ticket_leaves_the_decision_to_another() -> None:
    """The service rejected it, or had its bytes already."""
    origins, (first, second) = EarlierOrigins(), items(2)
    origins.needs_no_ticket(first)
    origins.failed(OLD, first, SILENT)
    origins.needs_no_ticket(first)
    assert not origins.undecided
    assert origins.failed(OLD, second, SILENT) is NextTicket.NEW
