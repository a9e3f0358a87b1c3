"""The worker limit: which workers may take a file, and the figures of their attempts."""

from __future__ import annotations

import pickle
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


async def test_workers_above_the_limit_stand_aside_until_they_are_wanted() -> None:
    """The workers with the lowest numbers take files, not those that came first."""
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


async def test_a_worker_that_stands_aside_can_be_cancelled() -> None:
    limit = WorkerLimit(1, Counters())
    with anyio.move_on_after(0):
        await limit.stand_aside(1)
    limit.want(2)
    await limit.stand_aside(1)


def test_attempts_and_bytes_are_counted() -> None:
    """The bytes of small files count when storage has taken them; the sender counts those of large files itself."""
    limit = WorkerLimit(4, Counters())
    for size in (100, LARGE + 1, 100, LARGE + 1):
        limit.begin(0.0, size)
    assert limit.large == 2
    limit.end(0.0, 1.0, 100, stored=True)
    limit.end(0.0, 2.0, LARGE + 1, stored=True)
    limit.end(0.5, 3.0, 100, stored=False)
    assert (limit.busy, limit.files, limit.failed, limit.bytes, limit.spent) == (1, 2, 1, 100, 5.5)
    assert limit.large == 1


def test_the_counters_have_the_limit_and_its_peak() -> None:
    counters = Counters()
    limit = WorkerLimit(4, counters)
    limit.want(9)
    limit.want(3)
    assert (counters.concurrency, counters.concurrency_peak) == (3, 9)


def test_a_cap_bounds_the_number_that_was_asked_for() -> None:
    """It comes from a limit on the bandwidth, which may be lifted again."""
    counters = Counters()
    limit = WorkerLimit(16, counters)
    limit.cap(3)
    assert (limit.wanted, limit.asked) == (3, 16)
    limit.want(64)
    assert (limit.wanted, limit.asked, counters.concurrency) == (3, 64, 3)
    limit.cap(None)
    assert (limit.wanted, limit.asked, counters.concurrency_peak) == (64, 64, 64)


@pytest.mark.parametrize(
    ("limit", "most"),
    [(resource.RLIM_INFINITY, 256), (1_048_576, 256), (576, 256), (256, 96), (80, 8), (64, 1), (9, 1)],
)
def test_the_descriptor_limit_bounds_the_workers(monkeypatch: pytest.MonkeyPatch, limit: int, most: int) -> None:
    """A worker has two descriptors. A number that the user sets is not changed."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (limit, limit))
    assert composition.max_workers(Settings()) == most
    assert composition.max_workers(Settings(concurrency=500)) == 500
    assert composition.transport_options(Settings()).connections == most


@pytest.mark.parametrize(
    ("limit", "workers", "idle"),
    [(resource.RLIM_INFINITY, 256, 1000), (1_048_576, 256, 1000), (1024, 256, 192), (256, 4, 180), (256, 96, 0)],
)
def test_idle_connections_take_what_workers_leave(
    monkeypatch: pytest.MonkeyPatch, limit: int, workers: int, idle: int
) -> None:
    """With a large file, a worker needs three descriptors."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (limit, limit))
    assert composition.transport_options(Settings(concurrency=workers)).idle_connections == idle


@pytest.mark.parametrize(
    ("concurrency", "adaptive", "at_first"), [(256, True, 16), (8, True, 8), (256, False, 256), (1, False, 1)]
)
def test_an_adaptive_run_begins_with_few_workers(concurrency: int, adaptive: bool, at_first: int) -> None:
    assert PipelineOptions(concurrency=concurrency, adaptive=adaptive).workers_at_first == at_first


def test_there_is_no_rate_in_the_first_second() -> None:
    """It counts from the first attempt."""
    throughput = Throughput(window=10.0)
    assert throughput.rate(100.0) is None
    throughput.begin(100.0)
    assert throughput.rate(100.5) is None
    assert throughput.rate(102.0) == 0.5


def test_attempts_that_begin_together_are_no_rate() -> None:
    """Only ended attempts count, and the one that ends next."""
    throughput = Throughput(window=10.0)
    for _ in range(32):
        throughput.begin(0.0)
    assert throughput.rate(5.0) == 1 / 5
    for _ in range(32):
        throughput.count(8.0)
    assert throughput.rate(9.0) == 33 / 9


def test_a_rate_covers_only_its_window() -> None:
    """Attempts that ended before it do not count."""
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
def test_a_rate_counts_every_attempt_once(gaps: list[float]) -> None:
    """The figure is exact to a hundredth of the window."""
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


def test_a_rate_needs_little_memory_at_any_speed() -> None:
    throughput = Throughput(window=10.0)
    throughput.begin(0.0)
    for number in range(50_000):
        throughput.count(number / 5_000)
    assert throughput.rate(10.0) == pytest.approx(5_000, rel=0.01)
    assert len(pickle.dumps(throughput)) < 5_000  # bytes: about a hundred entries


def test_a_pause_is_not_part_of_the_rate() -> None:
    limit = WorkerLimit(4, Counters())
    limit.begin(0.0, 100)
    limit.end(0.0, 5.0, 100, stored=True)
    assert limit.rate(100.0) is not None
    limit.forget_rate()
    assert limit.rate(200.0) is None
