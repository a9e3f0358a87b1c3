"""The rate at which the coordinator of a cluster becomes the limit, in simulated time.

The costs are those that `python -m benchmarks.cluster memory` and `messages` measured, in CPU time of the coordinator.
"""

from __future__ import annotations

import pytest

from benchmarks.cluster.simulation import MEASURED, Costs, Machine, World

KIB, MIB = 1024, 1024**2
STATED = 8_000  # files per second of small files that one coordinator reaches
SECONDS, WARM_UP = 3.0, 10.0


def simulated(workers: int, size: int, costs: Costs = MEASURED) -> tuple[World, float]:
    """Return a cluster after its run, and its files per second. Files in flight are always bounded."""
    world = World(costs, workers, size)
    rate = world.rate(SECONDS, WARM_UP)
    assert world.most_held <= world.options.in_flight
    return world, rate


def could_send(workers: int, size: int) -> float:
    """Return the files per second that the workers could send together without a coordinator."""
    return workers * Machine().files_per_second(size)


@pytest.mark.parametrize(("workers", "size"), [(1, 10 * KIB), (60, MIB), (100, 2 * MIB)])
def test_below_the_stated_rate_workers_are_the_limit(workers: int, size: int) -> None:
    expected = could_send(workers, size)
    assert expected < STATED

    _, rate = simulated(workers, size)

    assert rate > 0.93 * expected


@pytest.mark.parametrize(("workers", "size"), [(2, 10 * KIB), (100, MIB)])
def test_above_it_more_workers_do_not_slow_the_coordinator_down(workers: int, size: int) -> None:
    """Each group and each report costs a call. If they became smaller with more workers, the calls would take all."""
    assert could_send(workers, size) > STATED

    world, rate = simulated(workers, size)

    assert rate > STATED
    assert world.groups < rate * SECONDS / 16


def test_the_rate_follows_the_costs() -> None:
    """So that the simulation shows the coordinator, and not a limit of its own."""
    dear = Costs(MEASURED.found * 4, MEASURED.step * 4, MEASURED.call * 4)

    world, rate = simulated(4, 10 * KIB, dear)

    assert world.use(SECONDS) > 0.95
    assert 0.15 < rate / simulated(4, 10 * KIB)[1] < 0.35
