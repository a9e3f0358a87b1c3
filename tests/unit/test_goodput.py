"""Samples of goodput: when one ends, and whether it counts."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bulkup.pipeline.tuning.goodput import Observation, Sample, Sampler, SamplerOptions

KIB, MIB = 1024, 1024**2


def sampler() -> Sampler:
    return Sampler(SamplerOptions())


def samples_of(sampler: Sampler, seen: Callable[[float], Observation], seconds: float, workers: int) -> list[Sample]:
    """Observe ten times per second."""
    found = []
    for tick in range(int(seconds * 10)):
        observation = seen(tick / 10)
        found.append(sampler.add(observation, workers, at_first=False))
    return [sample for sample in found if sample is not None]


@pytest.mark.parametrize(
    ("failed", "busy", "held", "calm", "full"),
    [(0, 10, 0, True, True), (5, 10, 0, False, True), (0, 10, 3, False, True), (0, 7, 0, True, False)],
)
def test_rate_latency_and_flags_of_samples(failed: int, busy: int, held: int, calm: bool, full: bool) -> None:
    """100 files per second of 128 KiB are 25 MiB of work per second; with ten workers each takes 0.1 seconds."""
    tested = sampler()

    def seen(now: float) -> Observation:
        count = int(now * 100)
        return Observation(now, count, int(now * failed * 10), count * 128 * KIB, busy if now else 10, held, now * busy)

    samples = samples_of(tested, seen, 6.0, 10)
    assert len(samples) >= 10
    assert all((sample.calm, sample.full) == (calm, full) for sample in samples)
    assert all(sample.rate == pytest.approx(25 * MIB, rel=0.05) for sample in samples)
    assert tested.latency == pytest.approx(busy / (100 + failed * 10), rel=0.2)


def test_no_sample_begins_while_more_workers_than_wanted_are_busy() -> None:
    """Large files take long; until they end the goodput is that of the old number of workers."""
    tested = sampler()
    samples_of(tested, lambda now: Observation(now, 0, 0, int(now * 100 * MIB), 20, 0, 0.0), 6.0, 20)
    tested.restart(6.0)
    for tick in range(600):
        assert tested.add(Observation(7.0 + tick / 10, 0, 0, tick * MIB, 11, 0, 0.0), 10, at_first=False) is None
    ticks = range(20)
    seen = [Observation(70.0 + t / 10, 0, 0, (600 + t) * MIB, 10, 0, 0.0) for t in ticks]
    samples = [tested.add(one, 10, at_first=False) for one in seen]
    assert any(samples)


@pytest.mark.parametrize("phase", [0.0, 0.15, 0.3, 0.45, 0.55])
def test_files_that_end_together_do_not_raise_the_rate(phase: float) -> None:
    """Ten workers whose files all take 0.6 seconds, and end together, wherever in a turn the samples begin."""
    tested = sampler()

    def seen(now: float) -> Observation:
        files = 10 * int((now + phase) / 0.6 + 1e-9)
        return Observation(now, files, 0, files * 128 * KIB, 10, 0, files * 0.6)

    samples = samples_of(tested, seen, 20.0, 10)
    assert samples
    assert all(sample.rate <= 1.01 * 10 * 256 * KIB / 0.6 for sample in samples)
    assert tested.latency == pytest.approx(0.6)


def test_a_stall_is_not_calm() -> None:
    samples = samples_of(sampler(), lambda now: Observation(now, 0, 0, 0, 10, 0, 0.0), 30.0, 10)
    assert samples
    assert not any(sample.calm for sample in samples)


@pytest.mark.parametrize("start", [-1e6, 0.0, 60.0])
def test_sampling_does_not_depend_on_where_the_clock_begins(start: float) -> None:
    def seen(now: float) -> Observation:
        return Observation(start + now, int(now * 100), 0, 0, 10, 0, now * 10)

    assert len(samples_of(sampler(), seen, 6.0, 10)) >= 10
