"""Which workers may go on, and what is counted of what they do; and how many there may be at all."""

from __future__ import annotations

import resource

import anyio
import pytest

from bulkup import Settings
from bulkup.api import composition
from bulkup.model.counters import Counters
from bulkup.pipeline import PipelineOptions
from bulkup.pipeline.options import LARGE
from bulkup.pipeline.worker_limit import WorkerLimit


async def test_workers_that_are_too_many_stand_aside_until_they_are_wanted() -> None:
    """Those with the lowest numbers go on, whoever came first."""
    slots, through = WorkerLimit(2, Counters()), list[int]()

    async def worker(number: int) -> None:
        await slots.stand_aside(number)
        through.append(number)

    async with anyio.create_task_group() as tasks:
        for number in reversed(range(6)):
            tasks.start_soon(worker, number)
        await anyio.wait_all_tasks_blocked()
        assert sorted(through) == [0, 1]
        slots.want(5)
        slots.want(4)  # before any of them had its turn
        await anyio.wait_all_tasks_blocked()
        assert sorted(through) == [0, 1, 2, 3]
        slots.want(6)
    assert sorted(through) == list(range(6))


async def test_who_stands_aside_can_be_cancelled() -> None:
    slots = WorkerLimit(1, Counters())
    with anyio.move_on_after(0):
        await slots.stand_aside(1)
    slots.want(2)
    await slots.stand_aside(1)


def test_what_workers_do_is_counted() -> None:
    """Of large files the bytes are counted as they go, by whoever sends them; of small ones when they are there."""
    slots = WorkerLimit(4, Counters())
    for _ in range(4):
        slots.begin()
    slots.end(100, taken=True)
    slots.end(LARGE + 1, taken=True)
    slots.end(100, taken=False)
    assert (slots.busy, slots.files, slots.failed, slots.bytes) == (1, 2, 1, 100)


def test_the_figures_tell_the_number_and_its_peak() -> None:
    counters = Counters()
    slots = WorkerLimit(4, counters)
    slots.want(9)
    slots.want(3)
    assert (counters.concurrency, counters.concurrency_peak) == (3, 9)


@pytest.mark.parametrize(
    ("limit", "most"),
    [(resource.RLIM_INFINITY, 256), (1_048_576, 256), (576, 256), (256, 96), (80, 8), (64, 1), (9, 1)],
)
def test_no_more_than_may_be_open(monkeypatch: pytest.MonkeyPatch, limit: int, most: int) -> None:
    """A worker has two descriptors; what the user asks for himself is kept to."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (limit, limit))
    assert composition.max_workers(Settings()) == most
    assert composition.max_workers(Settings(concurrency=500)) == 500
    assert composition.transport_options(Settings()).connections == most


@pytest.mark.parametrize(
    ("concurrency", "adaptive", "at_first"), [(256, True, 16), (8, True, 8), (256, False, 256), (1, False, 1)]
)
def test_a_run_begins_with_few_or_with_what_was_asked_for(concurrency: int, adaptive: bool, at_first: int) -> None:
    assert PipelineOptions(concurrency=concurrency, adaptive=adaptive).workers_at_first == at_first
