"""How many workers are wanted: tried out on simulated links, stores and bad minutes, and with whatever is observed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulated_link import KIB, MIB, Link, World, best, fixed, log_normal

from bulkup.pipeline.tuning.controller import LEAST, MOST_LARGE, MOST_WORKERS, START, Controller, Noise, verdict
from bulkup.pipeline.tuning.goodput import Observation, Sample, Sampler

# Each with the seconds after which nine tenths of what any number of workers brings must be there.
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
PROBES = 20.0  # seconds, in which both more and fewer are tried some times


class Trial:
    """A controller at work on a link. `trace` has the seconds and number of workers of every change."""

    def __init__(self, link: Link, seed: int = 7, most: int = MOST_WORKERS) -> None:
        self.world = World(link, seed)
        self.controller = Controller(most)
        self.trace: list[tuple[float, int]] = [(0.0, self.controller.workers)]

    def run(self, until: float) -> float:
        """Run and return the work done a second."""
        begun = self.world.now
        return self.world.run(until, self._observe) / (until - begun)

    def workers(self, since: float) -> set[int]:
        """Return the numbers of workers there were from then on."""
        before = [number for at, number in self.trace if at <= since][-1]
        return {before, *(number for at, number in self.trace if at > since)}

    def _observe(self, seen: Observation) -> int:
        wanted = self.controller.observe(seen)
        if wanted != self.trace[-1][1]:
            self.trace.append((seen.now, wanted))
        return wanted


@pytest.mark.parametrize("name", LINKS)
def test_it_reaches_what_a_link_can_do(name: str) -> None:
    """Nine tenths of the best fixed number's goodput, soon, and on average also while others are tried."""
    link, seconds = LINKS[name]
    trial, most = Trial(link), best(link, MOST_LARGE if "GiB" in name else MOST_WORKERS)
    trial.run(float(seconds))
    assert trial.run(seconds + PROBES) >= 0.9 * most


def test_the_first_second_is_not_lost() -> None:
    """A run may be over in five: a turn of the workers, and there are enough."""
    trial = Trial(LINK)
    assert trial.run(5.0) >= 0.95 * best(LINK, 64, 5.0)
    assert [number for at, number in trial.trace if at <= 0.2][-1] == 64
    assert max(trial.workers(0.0)) <= 128


@pytest.mark.parametrize("noise", [0.02, 0.05, 0.15])
def test_more_workers_that_bring_nothing_do_not_stay(noise: float) -> None:
    """Where the processor is the limit they cost memory and latency alone, however noisy the machine is."""
    trial = Trial(dataclasses.replace(LINKS["loopback, 2 ms of CPU"][0], noise=noise))
    trial.run(60.0)
    assert max(trial.workers(0.0)) <= 4 * START
    assert max(trial.workers(30.0)) <= 2 * START


BAD_MINUTES = {
    "nothing goes": {"share": lambda now: 0.0 if 30 < now < 90 else 1.0},
    "a twentieth of the link": {"share": lambda now: 0.05 if 30 < now < 90 else 1.0},
    "everything fails": {"fails": lambda now: 1.0 if 30 < now < 90 else 0.0},
    "half of it fails": {"fails": lambda now: 0.5 if 30 < now < 90 else 0.0},
}


@pytest.mark.parametrize("kind", BAD_MINUTES)
def test_a_bad_minute_is_forgotten_when_it_is_over(kind: str) -> None:
    """The number does not collapse in it, and the goodput is back with the link."""
    trial = Trial(dataclasses.replace(LINK, noise=0.1, **BAD_MINUTES[kind]), seed=12)  # type: ignore[arg-type]
    good = trial.run(29.0)
    trial.run(105.0)  # after an outage the gate lets one request through every 15 seconds, to see
    assert min(trial.workers(30.0)) >= START
    assert trial.run(125.0) >= 0.9 * good


@pytest.mark.parametrize("bears", [6, 24])
def test_a_host_that_throttles_is_left_to_its_gate(bears: int) -> None:
    """The number neither follows the gate down nor pushes against it."""
    trial = Trial(dataclasses.replace(LINK, bears=bears))
    trial.run(60.0)
    assert max(trial.workers(1.0)) <= 2 * START
    assert min(trial.workers(0.0)) >= START // 2
    assert trial.world.throttled <= 0.2 * trial.world.files
    world = World(LINK)
    world.run(10.0, min(bears, START))
    assert trial.world.files / 60 >= 0.7 * world.files / 10


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
    """Another latency, rate, or kind of file in the middle of the night is found out about within a minute."""
    then = dataclasses.replace(LINK, cpu=0.004, **after)  # type: ignore[arg-type]
    trial = Trial(dataclasses.replace(LINK, cpu=0.004, **before))  # type: ignore[arg-type]
    trial.run(20.0)
    trial.world.link = then
    trial.run(65.0)
    assert trial.run(75.0) >= 0.9 * best(then, MOST_WORKERS, 4.0)


def test_workers_that_have_nothing_to_do_say_nothing() -> None:
    """Where files come slowly, it is not the workers that hold the run up; their number stays."""
    trial = Trial(LINK)
    trial.world.supply = lambda now: now < 10 or trial.world.busy < 5
    trial.run(120.0)
    assert len(trial.workers(12.0)) == 1


def test_where_files_come_slowly_from_the_beginning_nothing_is_tried() -> None:
    trial = Trial(LINK)
    trial.world.supply = lambda _: trial.world.busy < 5
    trial.run(60.0)
    assert trial.workers(0.0) == {START}


@pytest.mark.parametrize("most", [1, 2, 3, 5, 16, 40, 100, 256])
def test_the_cap_is_kept(most: int) -> None:
    """A link on which more would always help."""
    trial = Trial(Link(1e12, 1.0, fixed(KIB)), most=most)
    trial.run(40.0)
    assert max(trial.workers(0.0)) == most


def test_large_files_have_a_cap_of_their_own() -> None:
    """More of them at a time only take the link from one another."""
    small, large = Link(1e12, 1.0, fixed(KIB)), Link(1e12, 1.0, fixed(100 * MIB), per_connection=5e6)
    trial = Trial(small)
    trial.run(40.0)
    trial.world.link = large
    trial.run(90.0)
    assert max(trial.workers(0.0)) == MOST_WORKERS
    assert max(trial.workers(50.0)) == trial.controller.workers == MOST_LARGE


COUNTS = st.integers(0, 10**13)
STEPS = st.tuples(st.floats(0, 1e6), COUNTS, COUNTS, COUNTS, st.integers(0, 2000), st.integers(0, 10**7))


@given(st.integers(1, MOST_WORKERS), st.lists(STEPS, max_size=30))
def test_floor_and_cap_hold_whatever_is_seen(most: int, steps: list[tuple[float, int, int, int, int, int]]) -> None:
    controller = Controller(most)
    now = files = failed = size = 0.0
    for seconds, more_files, more_failed, more_bytes, busy, held in steps:
        now, files, failed, size = now + seconds, files + more_files, failed + more_failed, size + more_bytes
        wanted = controller.observe(Observation(now, int(files), int(failed), int(size), busy, held))
        assert min(LEAST, most) <= wanted <= most


@given(
    st.integers(1, MOST_WORKERS),
    st.lists(st.tuples(st.floats(0.05, 10), st.integers(0, 3000), st.integers(0, 10**9)), max_size=60),
)
def test_floor_and_cap_hold_for_busy_workers(most: int, steps: list[tuple[float, int, int]]) -> None:
    """With every worker at work all pieces count, and numbers are tried all the time."""
    controller = Controller(most)
    now, files, size = 0.0, 0, 0
    for seconds, more_files, more_bytes in steps:
        now, files, size = now + seconds, files + more_files, size + more_bytes
        wanted = controller.observe(Observation(now, files, 0, size, controller.workers, 0))
        assert min(LEAST, most) <= wanted <= most


RATES = st.lists(st.floats(1.0, 1e9), min_size=1, max_size=8)


@given(RATES, RATES, st.floats(0.02, 0.7), st.booleans())
def test_a_verdict_comes_in_the_end(before: list[float], after: list[float], noise: float, up: bool) -> None:
    """After twelve pieces at the latest; nobody waits for ever on a noisy machine."""
    assert verdict(before, (after * 12)[:12], noise, up=up) in (True, False)


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
    """More must bring something, fewer may lose nothing, and what is not clear yet is looked at for longer."""
    assert verdict(before, after, 0.1, up=up) is better


def test_noise_is_what_the_goodput_varies_by_itself() -> None:
    noise = Noise()
    for rate in (100.0, 100.0) * 50:
        noise.add([100.0], rate)
    assert noise.deviation == 0.02
    for number in range(100):
        noise.add([100.0], 150.0 if number % 2 else 66.7)
    assert 0.2 < noise.deviation < 0.4


def pieces_of(watch: Sampler, seen: Callable[[float], Observation], seconds: float, workers: int) -> list[Sample]:
    ticks = range(int(seconds * 10))
    found = [watch.add(seen(tick / 10), workers, at_first=False) for tick in ticks]
    return [piece for piece in found if piece is not None]


@pytest.mark.parametrize(
    ("failed", "busy", "held", "calm", "full"),
    [(0, 10, 0, True, True), (5, 10, 0, False, True), (0, 10, 3, False, True), (0, 7, 0, True, False)],
)
def test_what_a_piece_tells(failed: int, busy: int, held: int, calm: bool, full: bool) -> None:
    """A hundred files a second of 128 KiB are 25 MiB of work a second, and a tenth of a second each among ten."""
    watch = Sampler()

    def seen(now: float) -> Observation:
        count = int(now * 100)
        return Observation(now, count, int(now * failed * 10), count * 128 * KIB, busy if now else 10, held)

    pieces = pieces_of(watch, seen, 6.0, 10)
    assert len(pieces) >= 10
    assert all((piece.calm, piece.full) == (calm, full) for piece in pieces)
    assert all(piece.rate == pytest.approx(25 * MIB, rel=0.05) for piece in pieces)
    assert watch.latency == pytest.approx(busy / (100 + failed * 10), rel=0.2)


def test_workers_that_are_too_many_end_what_they_do_before_fewer_are_judged() -> None:
    """Large files take long: until then what is seen is what the many bring."""
    watch = Sampler()
    pieces_of(watch, lambda now: Observation(now, 0, 0, int(now * 100 * MIB), 20, 0), 6.0, 20)
    watch.restart(6.0)
    for tick in range(600):
        assert watch.add(Observation(7.0 + tick / 10, 0, 0, tick * MIB, 11, 0), 10, at_first=False) is None
    ticks = range(20)
    pieces = [watch.add(Observation(70.0 + t / 10, 0, 0, (600 + t) * MIB, 10, 0), 10, at_first=False) for t in ticks]
    assert any(pieces)


def test_a_stall_is_no_calm_piece() -> None:
    pieces = pieces_of(Sampler(), lambda now: Observation(now, 0, 0, 0, 10, 0), 30.0, 10)
    assert pieces
    assert not any(piece.calm for piece in pieces)
