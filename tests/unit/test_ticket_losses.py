"""Tickets that are useless when they arrive: pauses, and the end of the run."""

from __future__ import annotations

from bulkup.pipeline.options import RetryPolicy
from bulkup.pipeline.policy.ticket_losses import TicketLosses

POLICY = RetryPolicy(base=1.0, cap=8.0, lost_rounds=6, lost_rounds_later=9)


def test_the_run_ends_after_the_last_round() -> None:
    """Each ticket was requested after the round before it."""
    losses = TicketLosses(POLICY)
    ends = [losses.lost(asked_at=float(10 * n), now=10.0 * n + 1, chance=0.5) for n in range(6)]
    assert ends == [False] * 5 + [True]


def test_the_run_ends_later_once_storage_has_taken_a_file() -> None:
    """Only a part of the answers may be at fault."""
    losses = TicketLosses(POLICY)
    losses.worked()
    ends = [losses.lost(asked_at=float(10 * n), now=10.0 * n + 1, chance=0.5) for n in range(9)]
    assert ends == [False] * 8 + [True]


def test_tickets_that_were_requested_together_are_one_round() -> None:
    """A group of a thousand tickets, and groups requested at the same time, are one answer of the service."""
    losses = TicketLosses(POLICY)
    assert not any(losses.lost(asked_at=1.0, now=2.0 + n, chance=0.5) for n in range(1000))
    assert losses.rounds == 1


def test_pauses_grow_up_to_the_cap() -> None:
    losses, pauses = TicketLosses(POLICY), []
    for number in range(6):
        now = 100.0 * (number + 1)
        losses.lost(asked_at=now - 1, now=now, chance=0.0)
        pauses.append(losses.ask_at - now)
    assert pauses == [0.5, 1.0, 2.0, 4.0, 4.0, 4.0]


def test_a_file_that_storage_takes_ends_the_count() -> None:
    losses = TicketLosses(POLICY)
    for number in range(5):
        losses.lost(asked_at=float(10 * number), now=10.0 * number + 1, chance=0.5)
    losses.worked()
    assert not losses.in_doubt
    assert losses.ask_at < 0
    assert not losses.lost(asked_at=100.0, now=101.0, chance=0.5)
