"""The host gate: how many requests a host gets, when it is closed, and when it is an outage."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from bulkup.model.problems import Problem, ProblemKind
from bulkup.pipeline.options import RetryPolicy
from bulkup.pipeline.policy.host_gate import GateOptions, HostGate

POLICY = RetryPolicy()
WIDEST = 32
BROKE = Problem(ProblemKind.TRANSIENT, "it broke")
SLOW_DOWN = Problem(ProblemKind.THROTTLED, "slow down")


def gate(widest: int = WIDEST) -> HostGate:
    return HostGate(widest, 10, POLICY, GateOptions())


def ask(host: HostGate, problem: Problem | None, at: float, *, begun: float | None = None) -> None:
    host.begin()
    host.end(problem, at if begun is None else begun, at, 0.5)


def fail(host: HostGate, times: int, at: float = 0.0) -> None:
    for _ in range(times):
        ask(host, BROKE, at)


def test_a_new_gate_is_open_at_full_width() -> None:
    host = gate()
    for begun in range(WIDEST):
        assert host.room(0.0, 100) == WIDEST - begun
        host.begin()
    assert host.room(0.0) == 0


@pytest.mark.parametrize("now", [-1e9, -600.0, 0.0, 60.0])
def test_a_new_gate_is_open_whatever_the_clock_says(now: float) -> None:
    """A monotonic clock may begin anywhere, and may be set below zero by a test."""
    assert gate().room(now, 100) == WIDEST


@pytest.mark.parametrize("kind", [ProblemKind.THROTTLED, ProblemKind.UNREACHABLE, ProblemKind.TRANSIENT])
def test_retry_after_closes_the_gate(kind: ProblemKind) -> None:
    """For any kind of failure. Then one request is admitted, and with each answer one more, until near a refusal."""
    host = gate()
    ask(host, Problem(kind, "slow down", retry_after=20.0), 100.0)
    tests = kind is ProblemKind.THROTTLED
    assert [host.room(at, 100) for at in (100.0, 100.9, 101.0)] == [0, 0, int(tests)]
    if tests:
        host.begin()
        host.end(BROKE, 101.0, 101.1, 0.5)
    assert [host.room(at, 100) for at in (119.9, 120.0)] == [0, 1]
    rooms = []
    for _ in range(4):
        ask(host, None, 121.0)
        rooms.append(host.room(121.0, 100))
    assert rooms == [2, 3, 4, 4 if kind is ProblemKind.THROTTLED else 5]


def test_without_a_throttle_each_answer_widens_by_one() -> None:
    """Up to the full width: a `Retry-After` of a host that did not throttle is no limit on the number of requests."""
    host = gate()
    ask(host, Problem(ProblemKind.TRANSIENT, "back soon", retry_after=20.0), 100.0)
    rooms = []
    for _ in range(40):
        ask(host, None, 121.0)
        rooms.append(host.room(121.0, 100))
    assert rooms == [min(WIDEST, width) for width in range(2, 42)]


@pytest.mark.parametrize("most", [4, 6, 16, 24])
def test_the_gate_widens_slowly_near_a_refused_width(most: int) -> None:
    """A host that takes `most` requests at a time then refuses few."""
    host, refused, answered, turns = gate(), 0, 0, 500
    for now in range(turns):
        begun = host.room(float(now), 100)
        for _ in range(begun):
            host.begin()
        for number in range(begun):
            host.end(SLOW_DOWN if number >= most else None, float(now), now + 0.5, 0.5)
        refused += max(0, begun - most)
        answered += min(begun, most)
    assert 0 < refused <= answered / 12
    assert answered >= 0.8 * most * turns


def test_answers_to_requests_begun_before_the_closing_do_not_widen() -> None:
    """The host decided on them before it closed the gate."""
    host = gate()
    ask(host, Problem(ProblemKind.THROTTLED, "slow down", retry_after=20.0), 100.0)
    for _ in range(20):
        ask(host, None, 101.0, begun=99.0)
    assert host.room(120.0, 100) == 1


def test_a_shorter_retry_after_does_not_end_a_longer_one() -> None:
    host = gate()
    for asked in (20.0, 5.0):
        ask(host, Problem(ProblemKind.THROTTLED, "slow down", retry_after=asked), 0.0)
    host.begin()
    assert (host.room(19.9), host.room(20.0, 100), host.next_room(1.0)) == (0, 0, 20.0)
    host.end(None, 20.0, 20.1, 0.5)
    assert host.room(20.1, 100) == 2


def pause(host: HostGate, at: float, asked: float = 20.0) -> None:
    """Have one request refused with a time."""
    ask(host, Problem(ProblemKind.THROTTLED, "slow down", retry_after=asked), at)


def test_one_request_tests_a_pause_and_opens_the_gate_when_it_is_accepted() -> None:
    """The host sends the time with every refusal, and means the refused request alone. So later times count for it."""
    host = gate()
    pause(host, 100.0)
    assert (host.next_room(100.0), host.room(101.0, 100)) == (101.0, 1)
    host.begin()
    assert (host.room(101.0, 100), host.next_room(101.0)) == (0, 120.0)
    host.end(None, 101.0, 101.1, 0.5)
    assert host.room(101.1, 100) == 2
    pause(host, 102.0)
    assert host.closed_until < 103.0


def test_a_pause_whose_test_is_refused_lasts() -> None:
    """Then one pause in two is tested, one in four, one in eight: a host that means all requests is tested rarely."""
    host, now, tests = gate(), 100.0, []
    for _ in range(12):
        pause(host, now)
        tests.append(host.room(now + 5.0))
        if tests[-1]:
            host.begin()
            host.end(Problem(ProblemKind.THROTTLED, "slow down", retry_after=20.0), now + 5.0, now + 5.1, 0.5)
            assert host.room(now + 25.0) == 0
        now = host.closed_until
    assert tests == [1, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0]


def test_a_test_that_is_refused_beside_other_requests_decides_nothing() -> None:
    """They may take all the places that the host has."""
    host = gate()
    host.begin()
    pause(host, 100.0)
    host.begin()
    host.end(Problem(ProblemKind.THROTTLED, "slow down", retry_after=20.0), 101.0, 101.1, 0.5)
    assert host.room(102.2) == 1


def test_refusals_of_requests_that_were_under_way_together_count_as_one_closing() -> None:
    """A back-off after them is the second one, and not the tenth."""
    many, one = gate(), gate()
    for host, refused in ((many, 9), (one, 1)):
        for _ in range(refused):
            host.begin()
        for _ in range(refused):
            host.end(Problem(ProblemKind.UNREACHABLE, "back soon", retry_after=20.0), 0.0, 0.1, 0.5)
        fail(host, 10 - refused, 20.1)
    assert many.closed_until == one.closed_until


@pytest.mark.parametrize("asked", [301.0, 1e12, float("inf")])
def test_retry_after_is_limited_by_the_setting(asked: float) -> None:
    """A hostile host may ask for a year, or for ever."""
    host = gate()
    ask(host, Problem(ProblemKind.THROTTLED, "slow down", retry_after=asked), 0.0)
    assert host.room(POLICY.retry_after_max, 100) == 1


def test_a_throttle_without_a_time_halves_the_width_once() -> None:
    """Once for all requests that were under way together."""
    host = gate()
    for now, width in ((1.0, WIDEST // 2), (2.0, WIDEST // 4)):
        begun = host.room(now, 100)
        for _ in range(begun):
            host.begin()
        for number in range(begun):
            host.end(SLOW_DOWN if number < 5 else None, now, now + 0.5, 0.5)
        assert host.room(now + 0.5, 100) == width


def test_a_throttle_halves_the_number_of_requests_under_way() -> None:
    """With six requests under way, half of the full width would be no limit."""
    host = gate()
    for _ in range(6):
        host.begin()
    host.end(SLOW_DOWN, 0.0, 1.0, 0.5)
    for _ in range(5):
        host.end(None, 0.0, 1.0, 0.5)
    assert host.room(1.0, 100) == 3


def test_a_host_that_throttles_single_requests_gets_them_at_growing_distances() -> None:
    """Up to the longest back-off of a file. The first distance is the time of a request."""
    host = gate(1)
    pauses = []
    now = 0.0
    for _ in range(20):
        ask(host, SLOW_DOWN, now, begun=now - 0.01)
        if host.closed_until > now:
            pauses.append(host.closed_until - now)
        now = max(now, host.closed_until) + 0.01
    assert all(later >= earlier - 1e-9 for earlier, later in itertools.pairwise(pauses))
    assert pauses[0] == pytest.approx(0.0075)
    assert POLICY.cap / 2 <= pauses[-1] <= POLICY.cap


def test_a_host_that_never_throttled_has_no_pace() -> None:
    """A request to it costs one look at an attribute."""
    host = gate()
    for now in range(100):
        ask(host, None if now % 3 else BROKE, float(now))
    assert (host.room(100.0, 100), host.next_room(100.0)) == (WIDEST, 100.0)
    assert not host.paced


def test_of_two_stages_the_one_that_waited_goes_first() -> None:
    """Else one of them could take every request that a slow pace allows."""
    host, one, other = gate(), object(), object()
    for step in range(40):
        ask(host, SLOW_DOWN if step % 10 == 9 else None, step / 10)
    assert host.paced
    now = max(10.0, host.closed_until)
    while host.room(now):
        host.begin(one)
    assert now < host.next_room(now, other) < host.next_room(now, one)


def test_failures_in_a_row_close_the_gate() -> None:
    """Then one request at a time tests the host, until the first answer."""
    host = gate()
    fail(host, 9)
    assert host.room(0.0, 100) == WIDEST
    ask(host, BROKE, 0.0)
    assert host.room(0.0) == 0
    probed_at = host.closed_until
    assert host.room(probed_at, 100) == 1
    ask(host, BROKE, probed_at)
    assert host.closed_until - probed_at > probed_at
    ask(host, None, host.closed_until)
    assert host.room(host.closed_until, 100) == 2
    fail(host, 9, host.closed_until)
    assert host.room(host.closed_until, 100) == 2


def test_failures_of_requests_begun_before_the_closing_do_not_prolong_it() -> None:
    """A broken cable ends all requests at once; that is one failure of the host."""
    host = gate()
    fail(host, 10)
    closed_until = host.closed_until
    for _ in range(20):
        ask(host, BROKE, 0.1, begun=-1.0)
    assert host.closed_until == closed_until


@pytest.mark.parametrize(
    "kind", [ProblemKind.EXPIRED, ProblemKind.REFUSED, ProblemKind.MISMATCH, ProblemKind.REJECTED, ProblemKind.FAILED]
)
def test_a_refusal_of_one_file_counts_as_an_answer(kind: ProblemKind) -> None:
    host = gate()
    fail(host, 9)
    ask(host, Problem(kind, "no"), 0.0)
    fail(host, 9)
    assert host.room(0.0, 100) == WIDEST


@pytest.mark.parametrize("kind", [ProblemKind.CHANGED, ProblemKind.UNREADABLE, ProblemKind.MACHINE])
def test_a_problem_of_this_machine_counts_neither_as_an_answer_nor_as_a_failure(kind: ProblemKind) -> None:
    host = gate()
    fail(host, 9)
    ask(host, Problem(kind, "no"), 0.0)
    assert host.room(0.0, 100) == WIDEST
    ask(host, BROKE, 0.0)
    assert host.room(0.0) == 0


def test_an_outage_is_reported_after_retry_for() -> None:
    """Counted from the first failure after the last answer, and only if the gate has closed."""
    host = gate()
    ask(host, BROKE, 0.0)
    assert host.outage(10_000.0) is None
    fail(host, 9, 100.0)
    assert host.outage(POLICY.retry_for) is None
    assert host.outage(POLICY.retry_for + 1) == POLICY.retry_for + 1
    ask(host, None, 1000.0)
    assert host.outage(10_000.0) is None


def test_listeners_are_called_once_when_room_may_have_appeared() -> None:
    """Only after a caller found less room than it wanted."""
    host, calls = gate(2), list[str]()
    host.on_room(lambda: calls.append("room"))
    assert host.room(0.0, 2) == 2
    ask(host, None, 0.0)
    assert calls == []
    for wanted, under_way in ((3, 0), (2, 1), (1, 2)):
        for _ in range(under_way):
            host.begin()
        assert host.room(0.0, wanted) == 2 - under_way
        host.begin()
        for _ in range(under_way + 1):
            host.end(None, 0.0, 0.0, 0.0)
        assert calls == ["room"]
        calls.clear()


class Hosts(RuleBasedStateMachine):
    """Any sequence of results: the gate never exceeds its width, and always opens again."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = gate()
        self.now = 0.0
        self.under_way: list[float] = []

    @rule(seconds=st.floats(0, 400))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def begin(self) -> None:
        if self.gate.room(self.now):
            self.gate.begin()
            self.under_way.append(self.now)

    @precondition(lambda self: self.under_way)
    @rule(kind=st.none() | st.sampled_from(ProblemKind), wait=st.none() | st.floats(0, 1e4), chance=st.floats(0, 0.99))
    def end(self, kind: ProblemKind | None, wait: float | None, chance: float) -> None:
        problem = None if kind is None else Problem(kind, "x", wait)
        self.gate.end(problem, self.under_way.pop(0), self.now, chance)

    @invariant()
    def bounded(self) -> None:
        assert len(self.under_way) <= WIDEST
        assert self.gate.closed_until <= self.now + POLICY.retry_after_max

    @invariant()
    def opens_again(self) -> None:
        if not self.under_way:
            assert self.gate.room(max(self.now, self.gate.closed_until)) >= 1


TestHosts = pytest.mark.unmeasured(Hosts.TestCase)


def test_the_time_of_a_pause_of_the_run_is_no_outage() -> None:
    host = gate()
    fail(host, 10)
    late = POLICY.retry_for + 1.0
    assert host.outage(late) == late
    assert host.outage(late, late) is None
    assert host.outage(2 * late + 10.0, late) == late + 10.0


def test_a_wider_gate_admits_more_unless_the_host_has_narrowed_it() -> None:
    free, narrow = gate(4), gate(4)
    for _ in range(4):
        narrow.begin()
    narrow.end(Problem(ProblemKind.THROTTLED, "slow down"), 0.0, 0.0, 0.5)
    before = narrow.room(0.0, 100)
    for host in (free, narrow):
        host.allow(10)
        host.allow(2)
    assert free.room(0.0, 100) == 10
    assert narrow.room(0.0, 100) == before
