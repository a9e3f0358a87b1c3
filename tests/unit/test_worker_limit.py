"""Which workers may take a file, the figures of their attempts, and the most workers of a run."""

from __future__ import annotations

import resource

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup import Settings
from bulkup.api import composition
from bulkup.model.counters import Counters
from bulkup.pipeline import PipelineOptions
from bulkup.pipeline.options import LARGE
from bulkup.pipeline.worker_limit import Throughput, WorkerLimit


async def test_workers_that_are_too_many_stand_aside_until_they_are_wanted() -> None:
    """Those with the lowest numbers go on, whoever came first."""
    limit, through = WorkerLimit(2, Counters()), list[int]()

    async def worker(number: int) -> None:
        await limit.stand_aside(number)
        through.append(number)

    async with anyio.create_task_group() as tasks:
        for number in reversed(range(6)):
            tasks.start_soon(worker, number)
        await anyio.wait_all_tasks_blocked()
        assert sorted(through) == [0, 1]
        limit.want(5)
        limit.want(4)  # before any of them had its turn
        await anyio.wait_all_tasks_blocked()
        assert sorted(through) == [0, 1, 2, 3]
        limit.want(6)
    assert sorted(through) == list(range(6))


async def test_who_stands_aside_can_be_cancelled() -> None:
    limit = WorkerLimit(1, Counters())
    with anyio.move_on_after(0):
        await limit.stand_aside(1)
    limit.want(2)
    await limit.stand_aside(1)


def test_what_workers_do_is_counted() -> None:
    """Of large files the bytes are counted as they go, by whoever sends them; of small ones when they are there."""
    limit = WorkerLimit(4, Counters())
    for _ in range(4):
        limit.begin(0.0)
    limit.end(0.0, 100, stored=True)
    limit.end(0.0, LARGE + 1, stored=True)
    limit.end(0.0, 100, stored=False)
    assert (limit.busy, limit.files, limit.failed, limit.bytes) == (1, 2, 1, 100)


def test_the_figures_tell_the_number_and_its_peak() -> None:
    counters = Counters()
    limit = WorkerLimit(4, counters)
    limit.want(9)
    limit.want(3)
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


def test_a_rate_needs_a_past() -> None:
    """Before the first file is begun, and within the first second after it, there is none."""
    throughput = Throughput(window=10.0)
    assert throughput.rate(100.0) is None
    throughput.begin(100.0)
    assert throughput.rate(100.5) is None
    assert throughput.rate(102.0) == 0.5


def test_files_that_are_begun_together_are_no_rate() -> None:
    """Only what has been sent tells how fast that goes; the one that is next to end is counted in."""
    throughput = Throughput(window=10.0)
    for _ in range(32):
        throughput.begin(0.0)
    assert throughput.rate(5.0) == 1 / 5
    for _ in range(32):
        throughput.count(8.0)
    assert throughput.rate(9.0) == 33 / 9


def test_a_rate_looks_back_over_its_window_only() -> None:
    """Files sent before it do not count any more."""
    throughput = Throughput(window=10.0)
    throughput.begin(0.0)
    for _ in range(99):
        throughput.count(0.0)
    for _ in range(20):
        throughput.count(9.0)
    assert throughput.rate(10.0) == 12.0
    assert throughput.rate(12.0) == 2.1
    assert throughput.rate(30.0) == 0.1


@given(st.lists(st.floats(0, 5), min_size=1, max_size=300))
def test_a_rate_counts_every_file_once_and_holds_little(gaps: list[float]) -> None:
    """At any speed the memory is bounded, and the figure is right to a hundredth of the window."""
    throughput, times, now = Throughput(window=10.0), list[float](), 0.0
    throughput.begin(now)
    for gap in gaps:
        now += gap
        times.append(now)
        throughput.count(now)
    rate = throughput.rate(now)
    if rate is not None:
        span = min(10.0, now)
        surely = sum(time >= now - 9.9 for time in times)
        at_most = sum(time >= now - 10.1 for time in times)
        assert surely - 1e-6 <= rate * span - 1 <= at_most + 1e-6
    assert len(throughput._ended) <= 102
