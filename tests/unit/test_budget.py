"""The in-flight budget: never over its total, first come first served, nothing lost to a cancellation."""

from __future__ import annotations

import asyncio

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bulkup.pipeline.budget import Budget


async def settle() -> None:
    """Let every task run until it waits."""
    await anyio.wait_all_tasks_blocked()


async def test_units_are_taken_at_once_while_there_are_some() -> None:
    """Nobody waits as long as the total is not spent."""
    budget = Budget(3)
    await budget.take(2)
    assert budget.try_take(1)
    assert not budget.try_take(1)
    assert budget.outstanding == 3


async def test_a_taker_waits_until_enough_is_given_back() -> None:
    """One unit of two does not let a taker of two go on."""
    budget, order = Budget(2), list[str]()
    await budget.take(2)

    async def taker() -> None:
        await budget.take(2)
        order.append("taken")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(taker)
        await settle()
        budget.give(1)
        await settle()
        order.append("one given")
        budget.give(1)
    assert order == ["one given", "taken"]


async def test_those_who_wait_are_served_in_their_order() -> None:
    """A small request behind a large one does not overtake it, or the large one would starve."""
    budget, order = Budget(3), list[int]()
    await budget.take(2)

    async def taker(units: int) -> None:
        await budget.take(units)
        order.append(units)

    async with anyio.create_task_group() as tasks:
        for units in (3, 1, 2):
            tasks.start_soon(taker, units)
            await settle()
        assert order == []
        assert not budget.try_take(1)
        budget.give(2)
        await settle()
        assert order == [3]
        budget.give(3)
    assert order == [3, 1, 2]


async def test_a_cancelled_waiter_takes_nothing() -> None:
    """Who gives up waiting leaves the queue, and the units stay for others."""
    budget = Budget(1)
    await budget.take(1)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(budget.take, 1)
        await settle()
        tasks.cancel_scope.cancel()
    budget.give(1)
    assert budget.outstanding == 0
    assert budget.try_take(1)


async def test_a_waiter_cancelled_as_its_turn_comes_gives_the_units_back() -> None:
    """Units handed to a task that was cancelled in the same instant are not lost."""
    budget = Budget(1)
    await budget.take(1)
    waiter = asyncio.create_task(budget.take(1))
    await settle()
    budget.give(1)
    waiter.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiter
    assert budget.outstanding == 0


async def test_the_next_in_line_goes_on_when_the_one_before_is_cancelled() -> None:
    """A large request that gives up no longer holds back a small one that fits."""
    budget, order = Budget(3), list[str]()
    await budget.take(2)
    large = anyio.CancelScope()

    async def take_large() -> None:
        with large:
            await budget.take(3)

    async def take_small() -> None:
        await budget.take(1)
        order.append("small")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(take_large)
        await settle()
        tasks.start_soon(take_small)
        await settle()
        assert order == []
        large.cancel()
        await settle()
        assert order == ["small"]


async def test_idle_is_when_everything_was_given_back() -> None:
    """`wait_idle` returns at once on a fresh budget, and otherwise with the last unit, not before."""
    budget, order = Budget(2), list[str]()
    await budget.wait_idle()
    await budget.take(2)

    async def waiter() -> None:
        await budget.wait_idle()
        order.append("idle")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(waiter)
        await settle()
        budget.give(1)
        await settle()
        order.append("one given")
        budget.give(1)
    assert order == ["one given", "idle"]


async def test_idle_is_not_told_while_units_pass_from_hand_to_hand() -> None:
    """Units given back to one who waits for them were never idle."""
    budget, order = Budget(1), list[str]()
    await budget.take(1)

    async def waiter() -> None:
        await budget.wait_idle()
        order.append("idle")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(waiter)
        await settle()
        tasks.start_soon(budget.take, 1)
        await settle()
        budget.give(1)
        await settle()
        order.append("handed over")
        budget.give(1)
    assert order == ["handed over", "idle"]


async def test_nothing_may_be_taken_for_an_empty_file() -> None:
    """Zero units are taken and given like any other number, and leave the budget idle."""
    budget = Budget(1)
    await budget.take(0)
    await budget.wait_idle()
    budget.give(0)
    assert budget.outstanding == 0


@given(st.lists(st.integers(1, 4), max_size=30), st.integers(4, 6))
async def test_every_taker_is_served_in_the_end(wants: list[int], total: int) -> None:
    """However the sizes are mixed, all who give back what they took get their turn, and the total holds."""
    budget, served, most = Budget(total), list[int](), 0

    async def taker(number: int, units: int) -> None:
        nonlocal most
        await budget.take(units)
        served.append(number)
        most = max(most, budget.outstanding)
        await anyio.lowlevel.checkpoint()
        budget.give(units)

    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            for number, units in enumerate(wants):
                tasks.start_soon(taker, number, units)
        await budget.wait_idle()
    assert sorted(served) == list(range(len(wants)))
    assert most <= total


class BudgetMachine(RuleBasedStateMachine):
    """Takers come, are cancelled and give back in any order, beside a model that holds plain numbers."""

    @initialize(total=st.integers(2, 4))
    def begin(self, total: int) -> None:
        """Start with nobody waiting."""
        self.loop = asyncio.new_event_loop()
        self.total = total
        self.budget = Budget(total)
        self.tasks: list[asyncio.Task[None]] = []
        self.wanted: list[int] = []
        self.queue: list[int] = []  # the numbers of those who wait, in their order
        self.held: dict[int, int] = {}

    def teardown(self) -> None:
        """Leave no task behind."""
        if hasattr(self, "loop"):
            for task in self.tasks:
                task.cancel()
            self.settle()
            self.loop.close()

    @rule(data=st.data())
    def take(self, data: st.DataObject) -> None:
        """One more wants some."""
        units = data.draw(st.integers(0, self.total))
        self.queue.append(len(self.tasks))
        self.wanted.append(units)
        self.tasks.append(self.loop.create_task(self.budget.take(units)))
        self.settle()

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def give(self, data: st.DataObject) -> None:
        """One gives back what it holds."""
        self.give_back(data.draw(st.sampled_from(sorted(self.held))))
        self.settle()

    @precondition(lambda self: self.queue)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        """One gives up waiting."""
        number = data.draw(st.sampled_from(self.queue))
        self.queue.remove(number)
        self.tasks[number].cancel()
        self.settle()

    @precondition(lambda self: self.queue and self.held)
    @rule(data=st.data())
    def give_and_cancel_at_once(self, data: st.DataObject) -> None:
        """One that waits is cancelled after units came back and before it could run: its turn may just have come."""
        number = data.draw(st.sampled_from(self.queue))
        self.give_back(data.draw(st.sampled_from(sorted(self.held))))
        self.tasks[number].cancel()
        self.serve()
        if self.held.pop(number, None) is None:
            self.queue.remove(number)
        self.settle()

    @precondition(lambda self: len(self.tasks) > 8)
    @rule()
    def all_are_served_once_all_is_given_back(self) -> None:
        """Nobody starves: with everything given back, whoever waited has had a turn."""
        while self.held:
            self.give_back(min(self.held))
            self.settle()
            self.the_budget_is_as_the_model()
        assert not self.queue
        self.loop.run_until_complete(asyncio.wait_for(self.budget.wait_idle(), 10))

    @invariant()
    def the_budget_is_as_the_model(self) -> None:
        """Exactly those hold units whose turn it is, and never more than there are."""
        if not hasattr(self, "loop"):
            return
        assert self.budget.outstanding == sum(self.held.values()) <= self.total
        going_on = {n for n, task in enumerate(self.tasks) if not task.done()}
        assert going_on == set(self.queue)

    def give_back(self, number: int) -> None:
        self.budget.give(self.held.pop(number))

    def serve(self) -> None:
        while self.queue and self.wanted[self.queue[0]] <= self.total - sum(self.held.values()):
            number = self.queue.pop(0)
            self.held[number] = self.wanted[number]

    def settle(self) -> None:
        self.serve()
        for _ in range(3):
            self.loop.run_until_complete(asyncio.sleep(0))


TestBudgetMachine = BudgetMachine.TestCase
TestBudgetMachine.settings = settings(max_examples=200, stateful_step_count=25)
