"""One attempt of a sender, as tests make it."""

from __future__ import annotations

from bulkup.model.items import Item, Ticketed
from bulkup.model.problems import Problem
from bulkup.model.tickets import Receipt
from bulkup.pipeline.send.attempt import Count, LocalSender


async def sent(sender: LocalSender, item: Item, count: Count = lambda _: None) -> Receipt:
    """Send a file that storage accepts, and return its receipt."""
    assert item.ticket is not None
    receipt = await sender.send(Ticketed(item, item.ticket), count)
    assert isinstance(receipt, Receipt)
    return receipt


async def failed(sender: LocalSender, item: Item) -> Problem:
    """Send a file that fails, and return the problem."""
    assert item.ticket is not None
    problem = await sender.send(Ticketed(item, item.ticket), lambda _: None)
    assert isinstance(problem, Problem)
    return problem
