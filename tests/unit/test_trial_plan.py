"""The settings that a bench tries, and when it stops."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from bench_world import NOW, carried_out, choice, trial
from hypothesis import given
from hypothesis import strategies as st

from bulkup.api.bench import TrialPlan
from bulkup.reports.bench_trials import Choice, RequestFigures, Trial

SLOWED = RequestFigures(100, 5, 5, 0.1, 0.2)


def at(rates: Callable[[int], float]) -> Callable[[Choice], Trial]:
    """Measure as a service whose throughput depends only on the concurrency."""
    return lambda of: trial(of, rate=rates(of.workers))


def plan(**changes: object) -> TrialPlan:
    values: dict[str, object] = {"current": NOW, "batch_limit": 100, "files": 1024, **changes}
    return TrialPlan(**values)  # type: ignore[arg-type]


def tried(trials: list[Trial]) -> list[object]:
    return [one.choice.concurrency for one in trials if one.choice.batch_size == 100]


@pytest.mark.parametrize(
    ("rates", "workers"),
    [
        (lambda workers: min(workers, 16.0), [4, 16, 32, 64, "auto", 8]),  # flat from 16 on
        (lambda workers: min(workers, 30.0), [4, 16, 32, 64, "auto"]),
        (float, [4, 16, 32, 64, "auto", 128, 256]),  # no end to it
        (lambda workers: min(workers, 128.0), [4, 16, 32, 64, "auto", 128, 256]),
        (lambda workers: 100.0 / (workers or 100), [4, 16, 32, 64, "auto", 8]),  # the fewer the better
    ],
)
def test_concurrency_rises_and_is_refined_around_the_best(rates: Callable[[int], float], workers: list[object]) -> None:
    """The current settings are among the steps. Higher ones are tried only while they are clearly better."""
    assert tried(carried_out(plan(), at(rates))) == workers


def test_throttling_ends_the_bench() -> None:
    """Neither higher concurrency nor other batch sizes are tried, only values between those tried."""

    def measure(of: Choice) -> Trial:
        return trial(of, rate=of.workers, storage=SLOWED if of.workers >= 16 else RequestFigures(100))

    assert [one.choice for one in carried_out(plan(), measure)] == [choice(4), choice(16), choice("auto"), choice(8)]


def test_batch_sizes_are_tried_at_the_best_concurrency() -> None:
    """A quarter of the current size and four times that, within the limits of service and number of files."""
    trials = carried_out(plan(batch_limit=1000), at(lambda workers: min(workers, 16.0)))
    assert [one.choice for one in trials[-2:]] == [choice(32, 25), choice(32, 400)]
    trials = carried_out(plan(batch_limit=1000, files=150), at(lambda workers: min(workers, 16.0)))
    assert [one.choice for one in trials[-2:]] == [choice(32, 25), choice(32, 150)]
    one_at_a_time = plan(current=choice(32, 1, 32), batch_limit=1)
    assert {one.choice.batch_size for one in carried_out(one_at_a_time, at(float))} == {1}


def test_more_calls_in_flight_are_tried_if_workers_wait_for_urls() -> None:
    """Once, and not if the user's own rate limit is the cause."""

    def measure(of: Choice) -> Trial:
        return trial(of, starved=0.7, api=RequestFigures(100, 0, 0, 2.0, 3.0))

    assert carried_out(plan(), measure)[-1].choice == choice(32, 100, 8)
    assert {one.choice.calls_in_flight for one in carried_out(plan(rate_limit=10.0), measure)} == {4}


def test_only_concurrency_is_tried_where_tickets_need_no_call() -> None:
    def measure(of: Choice) -> Trial:
        return trial(of, starved=0.7, api=RequestFigures(100, 0, 0, 2.0, 3.0))

    without = plan(batch_limit=1000, calls=False)
    trials = carried_out(without, measure)
    assert {(one.choice.batch_size, one.choice.calls_in_flight) for one in trials} == {(100, 4)}
    assert len(trials) <= without.most_trials < plan(batch_limit=1000).most_trials


def test_lists_of_the_user_are_tried_in_order() -> None:
    """Each value once; the batch sizes at the best concurrency."""
    lists = plan(concurrency=(64, 8, "auto", 8), batch_sizes=(50, 10, 50), batch_limit=100)
    trials = carried_out(lists, at(lambda workers: 8.0 if workers == 8 else 1.0))
    assert [one.choice for one in trials] == [choice(64, 50), choice(8, 50), choice("auto", 50), choice(8, 10)]


def test_auto_is_one_of_the_steps() -> None:
    """It is never refined. If it is the best, other batch sizes are tried with it."""
    trials = carried_out(plan(current=choice("auto")), lambda of: trial(of, rate=of.workers or 1000.0))
    assert [one.choice.concurrency for one in trials] == [4, 16, 64, "auto", 128, 256, "auto"]


def test_few_files_have_few_workers() -> None:
    """A worker has at least two files."""
    assert tried(carried_out(plan(files=20, current=choice(2)), at(float))) == [2, 4, "auto", 8]
    assert tried(carried_out(plan(files=1, current=choice(1)), at(float))) == [1, "auto"]


def test_without_uploads_only_the_first_steps_are_tried() -> None:
    """No trial is the best then."""
    nothing = carried_out(plan(), lambda of: trial(of, rate=0.0))
    assert len(nothing) <= plan().most_trials


@given(
    rates=st.dictionaries(st.integers(1, 1024), st.floats(0, 1000)),
    files=st.integers(1, 5000),
    limit=st.integers(1, 1000),
    starved=st.floats(0, 1),
)
def test_a_plan_ends_within_its_maximum(rates: dict[int, float], files: int, limit: int, starved: float) -> None:
    """For any measurements, and no settings are tried twice."""
    any_plan = plan(files=files, current=choice(32, min(100, limit)), batch_limit=limit)
    trials = carried_out(any_plan, lambda of: trial(of, rate=rates.get(of.workers, 1.0), starved=starved))
    assert len({one.choice for one in trials}) == len(trials) <= any_plan.most_trials
    assert all(one.choice.batch_size <= limit for one in trials)
