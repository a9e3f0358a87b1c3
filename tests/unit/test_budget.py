"""A budget never exceeds its total, serves tasks in their order, and loses no units to a cancellation."""

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


async def test_free_units_are_taken_at_once() -> None:
    budget = Budget(3)
    await budget.take(2)
    assert budget.try_take(1)
    assert not budget.try_take(1)
    assert budget.outstanding == 3


async def test_a_task_waits_until_all_its_units_are_free() -> None:
    """A task that takes two units does not continue with one."""
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


async def test_waiting_tasks_are_served_in_their_order() -> None:
    """A small request does not overtake a large one, which would otherwise starve."""
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


async def test_a_task_cancelled_while_it_waits_takes_nothing() -> None:
    """It leaves the queue, and the units stay free for others."""
    budget = Budget(1)
    await budget.take(1)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(budget.take, 1)
        await settle()
        tasks.cancel_scope.cancel()
    budget.give(1)
    assert budget.outstanding == 0
    assert budget.try_take(1)


async def test_a_task_cancelled_when_its_turn_comes_gives_the_units_back() -> None:
    """Units that it received in the same instant are not lost."""
    budget = Budget(1)
    await budget.take(1)
    waiter = asyncio.create_task(budget.take(1))
    await settle()
    budget.give(1)
    waiter.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiter
    assert budget.outstanding == 0


async def test_the_next_task_continues_when_the_one_before_it_is_cancelled() -> None:
    """A cancelled large request no longer blocks a small one that fits."""
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


async def test_a_budget_is_idle_when_all_units_are_free() -> None:
    """`wait_idle` returns at once on a new budget, otherwise when the last unit is given back."""
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


async def test_a_budget_is_not_idle_while_a_task_waits_for_its_units() -> None:
    """Units that go straight to a waiting task were never free."""
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


async def test_zero_units_can_be_taken() -> None:
    """An empty file takes no memory. The budget stays idle."""
    budget = Budget(1)
    await budget.take(0)
    await budget.wait_idle()
    budget.give(0)
    assert budget.outstanding == 0


@given(st.lists(st.integers(1, 4), max_size=30), st.integers(4, 6))
async def test_every_task_is_served(wants: list[int], total: int) -> None:
    """With any sizes, all tasks get their units and the total is never exceeded."""
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
    """Tasks take units, give them back and are cancelled, in any order. A model has the expected numbers."""

    @initialize(total=st.integers(2, 4))
    def begin(self, total: int) -> None:
        """Start with an idle budget."""
        self.loop = asyncio.new_event_loop()
        self.total = total
        self.budget = Budget(total)
        self.tasks: list[asyncio.Task[None]] = []
        self.wanted: list[int] = []
        self.queue: list[int] = []  # the numbers of waiting tasks, in their order
        self.held: dict[int, int] = {}

    def teardown(self) -> None:
        """Cancel all tasks."""
        if hasattr(self, "loop"):
            for task in self.tasks:
                task.cancel()
            self.settle()
            self.loop.close()

    @rule(data=st.data())
    def take(self, data: st.DataObject) -> None:
        """Start a task that takes units."""
        units = data.draw(st.integers(0, self.total))
        self.queue.append(len(self.tasks))
        self.wanted.append(units)
        self.tasks.append(self.loop.create_task(self.budget.take(units)))
        self.settle()

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def give(self, data: st.DataObject) -> None:
        """Give back the units of a task."""
        self.give_back(data.draw(st.sampled_from(sorted(self.held))))
        self.settle()

    @precondition(lambda self: self.queue)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        """Cancel a waiting task."""
        number = data.draw(st.sampled_from(self.queue))
        self.queue.remove(number)
        self.tasks[number].cancel()
        self.settle()

    @precondition(lambda self: self.queue and self.held)
    @rule(data=st.data())
    def give_and_cancel_at_once(self, data: st.DataObject) -> None:
        """Give units back, and cancel a waiting task before it can run: its turn may just have come."""
        number = data.draw(st.sampled_from(self.queue))
        self.give_back(data.draw(st.sampled_from(sorted(self.held))))
        self.tasks[number].cancel()
        self.serve()
        if self.held.pop(number, None) is None:
            self.queue.remove(number)
        self.settle()

    @precondition(lambda self: len(self.tasks) > 8)
    @rule()
    def give_everything_back(self) -> None:
        """After all units were given back, every waiting task has had its turn."""
        while self.held:
            self.give_back(min(self.held))
            self.settle()
            self.the_budget_agrees_with_the_model()
        assert not self.queue
        self.loop.run_until_complete(asyncio.wait_for(self.budget.wait_idle(), 10))

    @invariant()
    def the_budget_agrees_with_the_model(self) -> None:
        """Exactly the tasks whose turn it is hold units, and never more than the total."""
        if not hasattr(self, "loop"):
            return
        assert self.budget.outstanding == sum(self.held.values()) <= self.total
        waiting = {n for n, task in enumerate(self.tasks) if not task.done()}
        assert waiting == set(self.queue)

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


TestBudgetMachine = pytest.mark.unmeasured(BudgetMachine.TestCase)
TestBudgetMachine.settings = settings(max_examples=200, stateful_step_count=25)


async def test_a_budget_that_grows_serves_a_task_that_waits() -> None:
    budget = Budget(2)
    await budget.take(2)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(budget.take, 1)
        await anyio.wait_all_tasks_blocked()
        budget.grow(1)
    assert (budget.total, budget.outstanding) == (3, 3)
