"""The pace of a host: it learns the allowed rate from any kind of limit, and finds a limit that was raised."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulated_limits import AtOnce, ByChance, LimitedHost, Rate, Unlimited, Window

from bulkup.pipeline.policy.pace import Pace, PaceOptions

OPTIONS = PaceOptions()
RATE = 200.0


def limited(rate: float, begin: float = 100.0) -> Pace:
    """Return a pace that has measured a rate."""
    pace = Pace(OPTIONS, begin)
    for _ in range(100):
        pace.accept(begin)
    assert pace.refuse(begin + 100 / rate)
    return pace


def use(pace: Pace, begin: float, seconds: float) -> list[float]:
    """Begin each request as soon as the pace allows it; return the times."""
    now, times = begin, []
    while now < begin + seconds:
        if pace.room(now):
            pace.begin()
            times.append(now)
        now = max(pace.next_at(now), now + 1e-6)
    return times


def test_the_first_refusal_limits_nothing() -> None:
    """It may be chance, and there is no measurement yet."""
    pace = Pace(OPTIONS, 0.0)
    assert not pace.refuse(0.0)
    assert (pace.room(0.0), pace.next_at(5.0)) == (math.inf, 5.0)


def test_the_rate_between_two_refusals_is_the_rate() -> None:
    """Requests that began before the first refusal do not count."""
    pace = Pace(OPTIONS, 100.0)
    for begun in (99.9, 99.99, *[100.0 + n / 50 for n in range(50)]):
        pace.accept(begun)
    assert pace.refuse(101.0)
    assert pace.rate == pytest.approx(OPTIONS.margin * 50)


def test_too_few_accepted_requests_are_no_measurement() -> None:
    """The rate is lowered once. If that does not help, the host accepts nothing for now, and requests must pause."""
    pace = limited(50.0)
    before = pace.rate
    assert pace.refuse(102.1)
    assert pace.rate == pytest.approx(OPTIONS.least_kept * before)
    assert not pace.refuse(102.2)
    assert pace.rate == pytest.approx(before)
    for _ in range(15):
        pace.accept(102.3)
    assert pace.refuse(102.5)
    assert pace.rate == pytest.approx(OPTIONS.margin * 15 / 0.5)


def test_requests_begin_at_the_rate() -> None:
    times = use(limited(100.0), 101.0, 0.1)
    assert len(times) == pytest.approx(9.7, abs=1)
    assert min(later - earlier for earlier, later in itertools.pairwise(times)) >= 0.009


def test_a_burst_after_a_pause_is_bounded() -> None:
    """It is as large as the rate allows in a short time, because a loop may wake late."""
    pace = limited(1000.0)
    assert pace.room(200.0) == math.floor(1 + OPTIONS.burst * pace.rate)


def test_a_request_that_was_not_sent_gives_its_place_back() -> None:
    pace = limited(10.0)
    assert pace.room(110.2) == 1
    pace.begin()
    assert pace.room(110.2) == 0
    pace.withdraw()
    assert pace.room(110.2) == 1


def test_the_rate_grows_only_while_it_holds_requests_back() -> None:
    """A host that is asked for little shows nothing about its limit."""
    idle, busy = limited(10.0), limited(10.0)
    for second in range(111, 200):
        assert idle.room(float(second))
        idle.begin()
    use(busy, 110.0, 90.0)
    assert idle.rate < 1.1 * 10.0 < 20 * 10.0 < busy.rate


def test_measurements_that_agree_make_the_growth_slower() -> None:
    """The first one is vague, and many refusals in a row would tell nothing new."""

    def growth(measurements: int) -> float:
        pace, now = Pace(OPTIONS, 0.0), 0.0
        for _ in range(measurements):
            for _ in range(100):
                pace.accept(now)
            now += 1.0
            pace.refuse(now)
        use(pace, now, 10.0)
        return pace.rate

    rates = [growth(number) for number in (1, 2, 3)]
    assert rates == sorted(rates, reverse=True)


@given(
    st.lists(st.tuples(st.floats(0, 100), st.sampled_from(["accept", "refuse", "pause", "use", "anew"])), max_size=60)
)
def test_requests_may_always_begin_in_the_end(steps: list[tuple[float, str]]) -> None:
    """The rate is never zero, in any order of events."""
    pace, now = Pace(OPTIONS, 0.0), 0.0
    for seconds, event in steps:
        now += seconds
        if event == "accept":
            pace.accept(now)
        elif event == "use" and pace.room(now):
            pace.begin()
        elif event == "anew":
            pace.measure_anew()
        elif event in {"refuse", "pause"}:
            pace.refuse(now, 1.0 if event == "pause" else 0.0)
    assert pace.rate > 0
    pace.room(now)
    assert pace.room(pace.next_at(now)) >= 1


@pytest.mark.unmeasured
@pytest.mark.parametrize("asks", [None, 1.0, 300.0])
@pytest.mark.parametrize("workers", [16, 64])
def test_the_allowed_rate_is_used_with_few_refusals(asks: float | None, workers: int) -> None:
    """Nine tenths are used from the first second on, with any `Retry-After`."""
    host = LimitedHost(Rate(RATE, burst=20, asks=asks), workers, late=0.001)
    host.run(10.0)
    assert host.rate(0.0, 10.0) >= 0.9 * RATE
    assert host.tries() < 1.3


LIMITS: dict[str, tuple[Callable[[], LimitedHost], float, float]] = {
    "without a burst": (lambda: LimitedHost(Rate(RATE)), RATE, 20.0),
    "a small burst": (lambda: LimitedHost(Rate(RATE, burst=5), late=0.005), RATE, 20.0),
    "a slow service": (lambda: LimitedHost(Rate(RATE, burst=20, asks=1.0), 128, latency=0.1), RATE, 20.0),
    "refusals count as well": (lambda: LimitedHost(Rate(RATE, burst=20, counts_refused=True)), RATE, 30.0),
    "sending processes": (lambda: LimitedHost(Rate(RATE, burst=20), latency=0.005, batch=0.02), RATE, 20.0),
    "sending processes, Retry-After": (lambda: LimitedHost(Rate(RATE, 20, 1.0), batch=0.005), RATE, 20.0),
    "one a second": (lambda: LimitedHost(Rate(1.0, burst=5, asks=1.0)), 1.0, 120.0),
    "five a second": (lambda: LimitedHost(Rate(5.0, burst=5)), 5.0, 60.0),
    "a thousand a second": (lambda: LimitedHost(Rate(1000.0, burst=5, asks=1.0)), 1000.0, 10.0),
    "every minute": (lambda: LimitedHost(Window(100, 60.0)), 100 / 60, 1200.0),
    "every minute, Retry-After": (lambda: LimitedHost(Window(100, 60.0, tells=True)), 100 / 60, 1200.0),
    "every second": (lambda: LimitedHost(Window(200, 1.0)), RATE, 120.0),
    "every second, Retry-After": (lambda: LimitedHost(Window(200, 1.0, tells=True)), RATE, 120.0),
    "an API": (lambda: LimitedHost(Rate(5.0, burst=5), 8, latency=0.05, tests=False), 5.0, 60.0),
    "an API, Retry-After": (lambda: LimitedHost(Rate(5.0, 5, 1.0), 8, latency=0.05, tests=False), 5.0, 120.0),
    "an API, every minute": (lambda: LimitedHost(Window(60, 60.0, tells=True), 8, tests=False), 1.0, 1200.0),
    "a pause for each refusal": (lambda: LimitedHost(Rate(RATE, burst=20, asks=1.0, bans=True)), RATE, 200.0),
}


@pytest.mark.unmeasured
@pytest.mark.parametrize("name", LIMITS)
def test_other_rate_limits_are_learned(name: str) -> None:
    """In the second half of the time, nine tenths of the allowed rate are used. Pauses take time, too."""
    make, allowed, seconds = LIMITS[name]
    host = make()
    host.run(seconds)
    share = 0.8 if name == "a pause for each refusal" else 0.9
    assert host.rate(seconds / 2, seconds) >= share * allowed
    assert host.tries(seconds / 2) < 1.3


@pytest.mark.unmeasured
@pytest.mark.parametrize("asks", [None, 1.0])
@pytest.mark.parametrize(("most", "least"), [(4, 0.85), (8, 0.85), (16, 0.9), (24, 0.9)])
def test_a_limit_on_the_number_of_requests_is_not_taken_for_a_rate(most: int, least: float, asks: float | None) -> None:
    """The width holds it, also where every refusal names a time."""
    host = LimitedHost(AtOnce(most, asks), 64, latency=0.02)
    host.run(20.0)
    assert host.rate(0.0, 20.0) >= least * most / 0.02
    assert host.tries() < 1.1


@pytest.mark.unmeasured
@pytest.mark.parametrize("asks", [None, 1.0])
@pytest.mark.parametrize(("rate", "expected"), [(800.0, 0.9 * 800), (math.inf, 5 * RATE), (10.0, 0.9 * 10)])
def test_a_limit_that_changes_is_found(asks: float | None, rate: float, expected: float) -> None:
    """Raised fourfold, lifted, or lowered to a twentieth."""
    host = LimitedHost(Rate(RATE, burst=20, asks=asks))
    host.run(20.0)
    host.limit = Unlimited() if rate == math.inf else Rate(rate, burst=20, asks=asks)
    host.run(40.0)
    assert host.rate(55.0, 60.0) >= expected
    assert host.tries(20.0) < 1.3


@pytest.mark.unmeasured
def test_a_limit_on_the_number_that_becomes_one_on_the_rate_is_found() -> None:
    """And back again."""
    host = LimitedHost(AtOnce(16), latency=0.02)
    for limit, allowed in ((AtOnce(16), 800.0), (Rate(RATE, burst=20), RATE), (AtOnce(16), 800.0)):
        host.limit = limit
        begin = host.now
        host.run(20.0)
        assert host.rate(begin + 10.0, begin + 20.0) >= 0.9 * allowed
        assert host.tries(begin) < 1.1


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    ("share", "asks", "least"),
    [(0.01, None, 300), (0.03, None, 120), (0.075, None, 90), (0.15, None, 50), (0.3, None, 20), (0.075, 1.0, 90)],
)
def test_a_host_that_refuses_by_chance_is_not_slowed_down_without_end(
    share: float, asks: float | None, least: float
) -> None:
    """A lower rate does not help there. The width follows the refusals, so the rate depends on their share."""
    host = LimitedHost(ByChance(share, asks), 32, latency=0.02)
    host.run(60.0)
    for begin in (20.0, 40.0):
        assert host.rate(begin, begin + 20.0) >= least


def test_a_host_that_is_asked_for_less_than_it_allows_is_not_slowed_down() -> None:
    host = LimitedHost(Rate(RATE, burst=20), demand=50.0)
    host.run(30.0)
    host.limit = Rate(20.0, burst=20)
    host.run(30.0)
    assert host.rate(0.0, 30.0) >= 0.98 * 50
    assert host.rate(30.0, 60.0) >= 0.95 * 20
    assert host.tries() < 1.1


def test_a_host_that_refuses_everything_for_a_while_gets_few_requests() -> None:
    """And the learned rate again afterwards."""
    host = LimitedHost(Rate(RATE, burst=20))
    host.run(20.0)
    host.limit = Window(0, 1000.0)
    before = len(host.attempts)
    host.run(20.0)
    assert len(host.attempts) - before < 25
    host.limit = Rate(RATE, burst=20)
    host.run(40.0)
    assert host.rate(60.0, 80.0) >= 0.9 * RATE
