"""The controller of the number of workers: on simulated links, stores and outages, and with arbitrary observations."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulated_link import KIB, MIB, Link, World, best, fixed, log_normal, seconds_for

from bulkup.pipeline.options import MOST_WORKERS
from bulkup.pipeline.tuning.controller import Controller, ControllerOptions, Noise, verdict
from bulkup.pipeline.tuning.goodput import Observation, SamplerOptions

OPTIONS = ControllerOptions()
FIRST, LEAST, MOST_LARGE = OPTIONS.first, OPTIONS.least, OPTIONS.most_large

# Each with the seconds after which 0.9 of the goodput of the best fixed number must be reached.
LINKS = {
    "1 Gbit/s, 40 ms, 256 KiB": (Link(125e6, 0.04, fixed(256 * KIB)), 1),
    "1 Gbit/s, 10 ms, 256 KiB": (Link(125e6, 0.01, fixed(256 * KIB)), 1),
    "1 Gbit/s, 50 ms, 10 KiB, 2 ms of CPU": (Link(125e6, 0.05, fixed(10 * KIB), cpu=0.002), 2),
    "100 Mbit/s, 80 ms, a slow store, 10 KiB": (Link(12.5e6, 0.08, fixed(10 * KIB), server=0.12), 5),
    "satellite, 50 Mbit/s, 600 ms, 256 KiB": (Link(6.25e6, 0.6, fixed(256 * KIB)), 5),
    "satellite, 50 Mbit/s, 600 ms, 10 KiB": (Link(6.25e6, 0.6, fixed(10 * KIB)), 15),
    "ADSL, 2 Mbit/s, 50 ms, 256 KiB": (Link(0.25e6, 0.05, fixed(256 * KIB)), 10),
    "loopback, 2 ms of CPU": (Link(1e9, 0.0005, fixed(10 * KIB), cpu=0.002, noise=0.1), 1),
    "a store that takes half a second": (Link(1e9, 0.01, fixed(10 * KIB), server=0.5), 15),
    "1 Gbit/s, 40 ms, log-normal": (Link(125e6, 0.04, log_normal(100 * KIB, 1.5)), 2),
    "10 Gbit/s, 100 ms, 1 GiB": (Link(1.25e9, 0.1, fixed(1024 * MIB), per_connection=40e6), 15),
    "noisy, 200 Mbit/s, 60 ms, 64 KiB": (Link(25e6, 0.06, fixed(64 * KIB), noise=0.2), 5),
}
LINK = LINKS["1 Gbit/s, 40 ms, 256 KiB"][0]
PROBES = 20.0  # seconds in which more and fewer workers are tried several times


def make(most: int = MOST_WORKERS) -> Controller:
    return Controller(most, OPTIONS, SamplerOptions())


class Trial:
    """A controller on a link. `trace` has the time and the number of workers of every change."""

    def __init__(self, link: Link, seed: int = 7, most: int = MOST_WORKERS) -> None:
        self.world = World(link, seed)
        self.controller = make(most)
        self.trace: list[tuple[float, int]] = [(0.0, self.controller.workers)]

    def run(self, until: float) -> float:
        """Run and return the work per second."""
        begun = self.world.now
        return self.world.run(until, self.observe) / (until - begun)

    def workers(self, since: float) -> set[int]:
        """Return the numbers of workers from then on."""
        before = [number for at, number in self.trace if at <= since][-1]
        return {before, *(number for at, number in self.trace if at > since)}

    def observe(self, seen: Observation) -> int:
        wanted = self.controller.observe(seen)
        if wanted != self.trace[-1][1]:
            self.trace.append((seen.now, wanted))
        return wanted


@pytest.mark.unmeasured
@pytest.mark.parametrize("name", LINKS)
def test_it_soon_reaches_nine_tenths_of_the_best_goodput(name: str) -> None:
    """On average over a period in which other numbers are tried, and over two kinds of weather on a noisy link."""
    link, seconds = LINKS[name]
    trials, most = [Trial(link, seed) for seed in (7, 8)], best(link, MOST_LARGE if "GiB" in name else MOST_WORKERS)
    for trial in trials:
        trial.run(float(seconds))
    assert sum(trial.run(seconds + PROBES) for trial in trials) >= 2 * 0.9 * most


def test_the_first_step_follows_after_one_turn_of_the_workers() -> None:
    """A run may be over in five seconds."""
    trial = Trial(LINK)
    assert trial.run(5.0) >= 0.95 * best(LINK, 64, 5.0)
    assert [number for at, number in trial.trace if at <= 0.2][-1] == 64
    assert max(trial.workers(0.0)) <= 128


# Over TCP, with the share of the seconds of the best fixed number that a whole run may take, and the most workers.
PAYLOAD = 1448 / 1538  # of a packet
RUNS = {
    "200 Mbit/s, 40 ms, 0.1 % lost": (Link(PAYLOAD * 25e6, 0.04, fixed(256 * KIB), cpu=0.0004, loss=0.001), 1.03, 64),
    "1 Gbit/s, 40 ms, 0.1 % lost": (Link(PAYLOAD * 125e6, 0.04, fixed(256 * KIB), cpu=0.0006, loss=0.001), 1.08, 256),
    "200 Mbit/s, 100 ms, 0.5 % lost": (Link(PAYLOAD * 25e6, 0.1, fixed(256 * KIB), cpu=0.0004, loss=0.005), 1.05, 256),
}


@pytest.mark.unmeasured
@pytest.mark.parametrize("name", RUNS)
def test_a_short_run_over_tcp_takes_little_longer_than_with_the_best_number(name: str) -> None:
    """New connections begin slowly, and connections that are too many lose packets in the queue before the link."""
    link, times, most = RUNS[name]
    best_fixed = min(sum(seconds_for(link, 1000, seed, workers) for seed in range(3)) for workers in (32, 64, 128))
    trials = [Trial(link, seed) for seed in range(3)]
    assert sum(seconds_for(link, 1000, seed, trials[seed].observe) for seed in range(3)) <= times * best_fixed
    assert all(max(trial.workers(0.0)) <= most for trial in trials)


@pytest.mark.parametrize("rtt", [0.04, 0.2, 0.6])
def test_over_a_link_with_latency_64_begin_before_the_first_file_ends(rtt: float) -> None:
    """The connections of all workers are then opened at the same time."""
    trial = Trial(dataclasses.replace(RUNS["1 Gbit/s, 40 ms, 0.1 % lost"][0], rtt=rtt))
    trial.run(0.06)
    assert (trial.world.files, trial.controller.workers) == (0, OPTIONS.unanswered)


NO_LATENCY = {
    "files end at once": Link(1e9, 0.0005, fixed(10 * KIB), cpu=0.0002),
    "files fail at once": Link(1e9, 0.0005, fixed(10 * KIB), cpu=0.0002, fails=lambda now: 1.0),
    "bytes of large files go at once": Link(125e6, 0.0005, fixed(64 * MIB)),
}


@pytest.mark.parametrize("name", NO_LATENCY)
def test_few_workers_begin_where(name: str) -> None:
    trial = Trial(NO_LATENCY[name])
    trial.run(0.05)
    assert trial.workers(0.0) == {FIRST}


@pytest.mark.parametrize(("round_trip", "more"), [(0.04, False), (None, True)])
def test_the_round_trip_shows_that_the_first_files_share_a_full_link(round_trip: float | None, more: bool) -> None:
    """They begin together, so the least time that they took is long already."""
    trial = Trial(Link(PAYLOAD * 25e6, 0.04, fixed(256 * KIB), loss=0.0))

    def observe(seen: Observation) -> int:
        return trial.observe(dataclasses.replace(seen, round_trip=round_trip))

    trial.world.run(5.0, observe)
    assert (max(trial.workers(0.0)) > OPTIONS.unanswered) is more


@pytest.mark.unmeasured
@pytest.mark.parametrize("server", [0.06, 0.1])
@pytest.mark.parametrize("size", [64 * KIB, 256 * KIB])
def test_a_near_store_that_takes_long_for_a_file_gets_many_workers(server: float, size: int) -> None:
    """Such as S3 in the same region: the time of a file is that of the store, not that of a full link."""
    link = Link(1.25e9, 0.001, fixed(size), server=server, cpu=0.0003, loss=0.0)
    trial = Trial(link)
    assert seconds_for(link, 10_000, 1, trial.observe) <= 1.4 * seconds_for(link, 10_000, 1, MOST_WORKERS)


def test_over_a_slow_link_no_more_are_tried_before_fewer() -> None:
    """The first files take seconds, because 64 of them share the link."""
    trial = Trial(Link(PAYLOAD * 2.5e6, 0.03, fixed(256 * KIB), loss=0.0))
    trial.run(30.0)
    assert max(trial.workers(0.0)) == OPTIONS.unanswered
    assert trial.controller.workers < OPTIONS.unanswered


def test_no_more_workers_are_tried_while_files_wait_for_one_another() -> None:
    """From 64 workers on, the only core is busy: each file takes as many times longer as there are more workers."""
    trial = Trial(dataclasses.replace(LINKS["loopback, 2 ms of CPU"][0], cpu=0.0002))
    trial.run(8.0)
    assert max(trial.workers(0.0)) <= 4 * FIRST


@pytest.mark.unmeasured
@pytest.mark.parametrize(("cores", "more"), [(0.95, False), (0.5, True)])
def test_no_more_workers_are_tried_while_this_process_uses_a_whole_core(cores: float, more: bool) -> None:
    """Each new connection costs CPU time, with TLS a millisecond, that the process does not have."""
    trial = Trial(Link(1e9, 0.0005, fixed(10 * KIB), server=0.005))
    trial.world.run(8.0, lambda seen: trial.observe(dataclasses.replace(seen, cores=cores)))
    assert (max(trial.workers(0.0)) > FIRST) is more


@pytest.mark.unmeasured
def test_workers_grow_once_the_core_is_idle_again() -> None:
    trial = Trial(Link(1e9, 0.0005, fixed(10 * KIB), server=0.005))
    trial.world.run(8.0, lambda seen: trial.observe(dataclasses.replace(seen, cores=0.95 if seen.now < 4 else 0.3)))
    assert max(trial.workers(0.0)) > FIRST


@pytest.mark.unmeasured
@pytest.mark.parametrize("noise", [0.02, 0.05, 0.15])
def test_more_workers_without_more_goodput_do_not_stay(noise: float) -> None:
    """Where the processor is the limit they only cost memory and latency."""
    trial = Trial(dataclasses.replace(LINKS["loopback, 2 ms of CPU"][0], noise=noise))
    trial.run(60.0)
    assert max(trial.workers(0.0)) <= 4 * FIRST
    assert max(trial.workers(30.0)) <= 2 * FIRST


BAD_MINUTES = {
    "nothing goes": {"share": lambda now: 0.0 if 30 < now < 90 else 1.0},
    "a twentieth of the link": {"share": lambda now: 0.05 if 30 < now < 90 else 1.0},
    "everything fails": {"fails": lambda now: 1.0 if 30 < now < 90 else 0.0},
    "half of it fails": {"fails": lambda now: 0.5 if 30 < now < 90 else 0.0},
}


@pytest.mark.unmeasured
@pytest.mark.parametrize("kind", BAD_MINUTES)
def test_the_goodput_recovers_after_a_bad_minute(kind: str) -> None:
    """The number of workers does not collapse meanwhile."""
    trial = Trial(dataclasses.replace(LINK, noise=0.1, **BAD_MINUTES[kind]), seed=12)  # type: ignore[arg-type]
    good = trial.run(29.0)
    trial.run(105.0)  # after an outage the gate admits one request every 15 seconds
    assert min(trial.workers(30.0)) >= FIRST
    assert trial.run(125.0) >= 0.9 * good


@pytest.mark.parametrize("bears", [6, 24])
def test_a_throttling_host_does_not_change_the_number(bears: int) -> None:
    """Its gate limits the requests; the controller neither follows the gate nor works against it."""
    trial = Trial(dataclasses.replace(LINK, bears=bears))
    trial.run(60.0)
    assert max(trial.workers(1.0)) <= OPTIONS.unanswered
    assert min(trial.workers(0.0)) >= FIRST // 2
    assert trial.world.throttled <= 0.2 * trial.world.files
    world = World(LINK)
    world.run(10.0, min(bears, FIRST))
    assert trial.world.files / 60 >= 0.7 * world.files / 10


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"rtt": 0.01}, {"rtt": 0.2}),
        ({"rtt": 0.2}, {"rtt": 0.01}),
        ({"rate": 12.5e6}, {}),
        ({}, {"rate": 12.5e6}),
        ({}, {"size": fixed(10 * KIB)}),
        ({"size": fixed(10 * KIB)}, {}),
        ({}, {"size": fixed(100 * MIB)}),
        ({"size": fixed(100 * MIB)}, {}),
    ],
)
def test_it_follows_a_link_that_changes(before: dict[str, object], after: dict[str, object]) -> None:
    """Another latency, rate or file size is found within a minute."""
    then = dataclasses.replace(LINK, cpu=0.004, **after)  # type: ignore[arg-type]
    trial = Trial(dataclasses.replace(LINK, cpu=0.004, **before))  # type: ignore[arg-type]
    trial.run(20.0)
    trial.world.link = then
    trial.run(65.0)
    assert trial.run(75.0) >= 0.9 * best(then, MOST_WORKERS, 4.0)


def test_the_number_stays_while_files_come_slowly() -> None:
    """The workers do not limit the run then."""
    trial = Trial(LINK)
    trial.world.supply = lambda now: now < 10 or trial.world.busy < 5
    trial.run(120.0)
    assert len(trial.workers(12.0)) == 1


def test_nothing_is_tried_while_files_come_slowly_from_the_beginning() -> None:
    trial = Trial(LINK)
    trial.world.supply = lambda _: trial.world.busy < 5
    trial.run(60.0)
    assert trial.workers(0.0) == {FIRST}


@pytest.mark.parametrize("most", [1, 2, 3, 5, 16, 40, 100, 256])
def test_the_cap_is_kept(most: int) -> None:
    """On a link on which more workers always help."""
    trial = Trial(Link(1e12, 1.0, fixed(KIB)), most=most)
    trial.run(40.0)
    assert max(trial.workers(0.0)) == most


def test_large_files_have_a_cap_of_their_own() -> None:
    small, large = Link(1e12, 1.0, fixed(KIB)), Link(1e12, 1.0, fixed(100 * MIB), per_connection=5e6)
    trial = Trial(small)
    trial.run(40.0)
    trial.world.link = large
    trial.run(90.0)
    assert max(trial.workers(0.0)) == MOST_WORKERS
    assert max(trial.workers(50.0)) == trial.controller.workers == MOST_LARGE


COUNTS = st.integers(0, 10**13)
STEPS = st.tuples(
    st.floats(0, 1e6), COUNTS, COUNTS, COUNTS, st.integers(0, 2000), st.integers(0, 10**7), st.floats(0, 1e6)
)


@given(st.integers(1, MOST_WORKERS), st.lists(STEPS, max_size=30))
def test_floor_and_cap_hold_for_any_observations(
    most: int, steps: list[tuple[float, int, int, int, int, int, float]]
) -> None:
    controller = make(most)
    now = files = failed = size = spent = 0.0
    for seconds, more_files, more_failed, more_bytes, busy, held, more_spent in steps:
        now, files, failed, size = now + seconds, files + more_files, failed + more_failed, size + more_bytes
        spent += more_spent
        wanted = controller.observe(Observation(now, int(files), int(failed), int(size), busy, held, spent))
        assert min(LEAST, most) <= wanted <= most


@given(
    st.integers(1, MOST_WORKERS),
    st.lists(st.tuples(st.floats(0.05, 10), st.integers(0, 3000), st.integers(0, 10**9)), max_size=60),
)
def test_floor_and_cap_hold_for_busy_workers(most: int, steps: list[tuple[float, int, int]]) -> None:
    """With all workers busy every sample counts, and trials follow one another."""
    controller = make(most)
    now, files, size, spent = 0.0, 0, 0, 0.0
    for seconds, more_files, more_bytes in steps:
        now, files, size = now + seconds, files + more_files, size + more_bytes
        spent += seconds * controller.workers
        wanted = controller.observe(Observation(now, files, 0, size, controller.workers, 0, spent))
        assert min(LEAST, most) <= wanted <= most


RATES = st.lists(st.floats(1.0, 1e9), min_size=1, max_size=8)


@given(RATES, RATES, st.floats(0.02, 0.7), st.booleans())
def test_a_verdict_needs_at_most_twelve_samples(
    before: list[float], after: list[float], noise: float, up: bool
) -> None:
    assert verdict(before, (after * 12)[:12], noise, OPTIONS, up=up) in (True, False)


@pytest.mark.parametrize(
    ("before", "after", "up", "better"),
    [
        ([100], [200], True, True),
        ([100], [120], True, None),
        ([100] * 8, [130] * 3, True, True),
        ([100] * 8, [100] * 3, True, None),
        ([100] * 8, [100] * 12, True, False),
        ([100] * 8, [104] * 12, True, False),
        ([100] * 8, [100] * 12, False, True),
        ([100] * 8, [50], False, False),
        ([100] * 8, [96] * 12, False, False),
        ([100] * 8, [115] * 8, False, True),
        ([], [100] * 12, True, False),
    ],
)
def test_verdicts(before: list[float], after: list[float], up: bool, better: bool | None) -> None:
    """More must bring something, fewer may lose nothing, and an unclear result needs more samples."""
    assert verdict(before, after, 0.1, OPTIONS, up=up) is better


def test_noise_is_the_deviation_between_samples() -> None:
    noise = Noise()
    for rate in (100.0, 100.0) * 50:
        noise.add([100.0], rate)
    assert noise.deviation == 0.02
    for number in range(100):
        noise.add([100.0], 150.0 if number % 2 else 66.7)
    assert 0.2 < noise.deviation < 0.4


@pytest.mark.parametrize(("most", "workers"), [(MOST_WORKERS, OPTIONS.in_groups), (100, 100)])
def test_files_in_groups_need_many_workers(most: int, workers: int) -> None:
    """From the observation on that tells of sending processes. Fewer are not tried, although files are crowded."""
    trial = Trial(LINKS["loopback, 2 ms of CPU"][0], most=most)
    trial.run(3.0)
    assert trial.controller.workers < workers

    def observe(seen: Observation) -> int:
        return trial.observe(dataclasses.replace(seen, in_groups=True))

    trial.world.run(3.0 + PROBES, observe)
    assert trial.workers(3.1) == {workers}


def test_large_files_in_groups_need_no_more_workers_than_others() -> None:
    trial = Trial(LINKS["10 Gbit/s, 100 ms, 1 GiB"][0])
    trial.run(10.0)
    trial.world.run(10.0 + PROBES, lambda seen: trial.observe(dataclasses.replace(seen, in_groups=True)))
    assert trial.controller.workers == MOST_LARGE
