"""The gate of a host and its retry budget: who may ask it, how many at a time, and when it is given up."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from bulkup.helpers.secrets import SecretUrl
from bulkup.model.problems import Problem, ProblemKind
from bulkup.pipeline.options import PipelineOptions, RetryPolicy
from bulkup.pipeline.policy.host_gate import HostGate, HostGates, RetryBudget

POLICY = RetryPolicy()
WIDEST = 32
BROKE = Problem(ProblemKind.TRANSIENT, "it broke")
SLOW_DOWN = Problem(ProblemKind.THROTTLED, "slow down")


def gate() -> HostGate:
    return HostGate(WIDEST, 10, POLICY)


def ask(host: HostGate, problem: Problem | None, at: float, *, begun: float | None = None) -> None:
    host.begin()
    host.end(problem, at if begun is None else begun, at, 0.5)


def fail(host: HostGate, times: int, at: float = 0.0) -> None:
    for _ in range(times):
        ask(host, BROKE, at)


def test_a_host_takes_as_many_requests_as_there_are_workers() -> None:
    """Until it says otherwise."""
    host = gate()
    for begun in range(WIDEST):
        assert host.room(0.0, 100) == WIDEST - begun
        host.begin()
    assert host.room(0.0) == 0


@pytest.mark.parametrize("kind", [ProblemKind.THROTTLED, ProblemKind.UNREACHABLE, ProblemKind.TRANSIENT])
def test_a_time_that_is_asked_for_holds_for_everybody(kind: ProblemKind) -> None:
    """Whatever it is asked for; nobody comes before it, one comes then, and with each answer one more."""
    host = gate()
    ask(host, Problem(kind, "slow down", retry_after=20.0), 100.0)
    assert [host.room(at, 100) for at in (100.0, 119.9, 120.0)] == [0, 0, 1]
    rooms = []
    for _ in range(4):
        ask(host, None, 121.0)
        rooms.append(host.room(121.0, 100))
    assert rooms[:3] == [2, 3, 4]
    assert rooms[3] == 4 if kind is ProblemKind.THROTTLED else 5


def test_what_was_never_refused_is_soon_there_again() -> None:
    """A host that asks to be left alone, and refused nobody for being one too many, gets one more with each answer."""
    host = gate()
    ask(host, Problem(ProblemKind.TRANSIENT, "back soon", retry_after=20.0), 100.0)
    rooms = []
    for _ in range(40):
        ask(host, None, 121.0)
        rooms.append(host.room(121.0, 100))
    assert rooms == [min(WIDEST, width) for width in range(2, 42)]


@pytest.mark.parametrize("most", [4, 6, 16, 24])
def test_what_was_refused_is_approached_slowly(most: int) -> None:
    """A host that bears so many at a time refuses few; a gate that is soon as wide again has half of them refused."""
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


def test_those_under_way_when_a_gate_closed_do_not_open_it_wider() -> None:
    """What they are answered was decided before the host asked to be left alone."""
    host = gate()
    ask(host, Problem(ProblemKind.THROTTLED, "slow down", retry_after=20.0), 100.0)
    for _ in range(20):
        ask(host, None, 101.0, begun=99.0)
    assert host.room(120.0, 100) == 1


def test_the_latest_word_counts_whoever_was_told() -> None:
    """A shorter pause does not end a longer one."""
    host = gate()
    for asked in (20.0, 5.0):
        ask(host, Problem(ProblemKind.THROTTLED, "slow down", retry_after=asked), 0.0)
    assert (host.room(19.9), host.room(20.0, 100)) == (0, 1)


@pytest.mark.parametrize("asked", [301.0, 1e12, float("inf")])
def test_no_host_closes_its_gate_for_longer_than_the_user_allows(asked: float) -> None:
    """A year, or for ever, is what an attacker would ask for."""
    host = gate()
    ask(host, Problem(ProblemKind.THROTTLED, "slow down", retry_after=asked), 0.0)
    assert host.room(POLICY.retry_after_max, 100) == 1


def test_a_refusal_without_a_time_halves_the_width() -> None:
    """Once for all requests that were under way together: they say the same thing."""
    host = gate()
    for now, width in ((1.0, WIDEST // 2), (2.0, WIDEST // 4)):
        begun = host.room(now, 100)
        for _ in range(begun):
            host.begin()
        for number in range(begun):  # what is answered now was decided before the first refusal
            host.end(SLOW_DOWN if number < 5 else None, now, now + 0.5, 0.5)
        assert host.room(now + 0.5, 100) == width


def test_what_goes_through_a_gate_is_halved_however_wide_it_is() -> None:
    """With six requests under way, a gate of 16 would be no bound at all."""
    host = gate()
    for _ in range(6):
        host.begin()
    host.end(SLOW_DOWN, 0.0, 1.0, 0.5)
    for _ in range(5):
        host.end(None, 0.0, 1.0, 0.5)
    assert host.room(1.0, 100) == 3


def test_a_host_that_refuses_a_lone_request_is_left_alone_for_longer_each_time() -> None:
    """Without a time of its own, between a half and the whole of what a file would wait."""
    host = gate()
    pauses = []
    now = 0.0
    for _ in range(20):
        ask(host, SLOW_DOWN, now)
        pauses.append(host.closed_until - now if host.closed_until > now else 0.0)
        now = max(now, host.closed_until)
    closing = [pause for pause in pauses if pause]
    assert closing == sorted(closing)
    assert POLICY.cap / 2 <= closing[-1] <= POLICY.cap


def test_failures_in_a_row_close_the_gate() -> None:
    """One after another finds out whether the host is back; the first answer opens it for all again."""
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


def test_those_under_way_when_a_gate_closed_do_not_close_it_for_longer() -> None:
    """A broken cable ends all of them at once; that is one failure of the host."""
    host = gate()
    fail(host, 10)
    closed_until = host.closed_until
    for _ in range(20):
        ask(host, BROKE, 0.1, begun=-1.0)
    assert host.closed_until == closed_until


@pytest.mark.parametrize(
    "kind", [ProblemKind.EXPIRED, ProblemKind.REFUSED, ProblemKind.MISMATCH, ProblemKind.REJECTED, ProblemKind.FAILED]
)
def test_a_refusal_of_one_file_is_an_answer(kind: ProblemKind) -> None:
    """The host is there and well."""
    host = gate()
    fail(host, 9)
    ask(host, Problem(kind, "no"), 0.0)
    fail(host, 9)
    assert host.room(0.0, 100) == WIDEST


@pytest.mark.parametrize("kind", [ProblemKind.CHANGED, ProblemKind.UNREADABLE, ProblemKind.MACHINE])
def test_what_is_wrong_here_says_nothing_of_the_host(kind: ProblemKind) -> None:
    """Neither that it is well nor that it is not."""
    host = gate()
    fail(host, 9)
    ask(host, Problem(kind, "no"), 0.0)
    assert host.room(0.0, 100) == WIDEST
    ask(host, BROKE, 0.0)
    assert host.room(0.0) == 0


def test_an_outage_is_told_once_it_has_lasted_too_long() -> None:
    """From the first failure after the last answer on, and only where the gate had to be closed."""
    host = gate()
    ask(host, BROKE, 0.0)
    assert host.outage(10_000.0) is None
    fail(host, 9, 100.0)
    assert host.outage(POLICY.retry_for) is None
    assert host.outage(POLICY.retry_for + 1) == POLICY.retry_for + 1
    ask(host, None, 1000.0)
    assert host.outage(10_000.0) is None


def test_who_found_no_room_is_told_when_there_may_be_some() -> None:
    """Once, and not for nothing; less room than was wanted is as good as none."""
    host, told = HostGate(2, 10, POLICY), list[str]()
    host.on_room(lambda: told.append("room"))
    assert host.room(0.0, 2) == 2
    ask(host, None, 0.0)
    assert told == []
    for wanted, under_way in ((3, 0), (2, 1), (1, 2)):
        for _ in range(under_way):
            host.begin()
        assert host.room(0.0, wanted) == 2 - under_way
        host.begin()
        for _ in range(under_way + 1):
            host.end(None, 0.0, 0.0, 0.0)
        assert told == ["room"]
        told.clear()


def test_each_host_has_a_gate_of_its_own() -> None:
    """By scheme, name and port, whatever else is in the URL; the service's API has one, too."""
    gates = HostGates(PipelineOptions())
    one = gates.storage(SecretUrl("https://a.example/1?X-Amz-Signature=secret"))
    assert gates.storage(SecretUrl("https://a.example/2")) is one
    for other in ("https://b.example/1", "https://a.example:444/1", "http://a.example/1"):
        assert gates.storage(SecretUrl(other)) is not one
    assert gates.api is not one


def test_hosts_without_number_do_not_fill_the_memory() -> None:
    """As a hostile service may name one for each file."""
    gates = HostGates(PipelineOptions())
    for number in range(2500):
        gates.storage(SecretUrl(f"https://{number}.example/1"))
    assert len(gates._storage) <= 1000


class Hosts(RuleBasedStateMachine):
    """Whatever a host does, its gate lets in no more than there are workers, and lets somebody in again."""

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


TestHosts = Hosts.TestCase


def test_retries_beyond_the_budget_come_at_even_distances() -> None:
    """A hundred at once, then five a second, however many files want one."""
    budget = RetryBudget()
    times = [budget.retry_at(0.0, 0.0) for _ in range(120)]
    assert times[:100] == [0.0] * 100
    distances = [later - earlier for earlier, later in itertools.pairwise(times[100:])]
    assert distances == pytest.approx([0.2] * 19)


@pytest.mark.parametrize(("share", "held_up"), [(0.3, False), (0.8, True)])
def test_a_share_of_failures_that_can_be_borne_costs_no_time(share: float, held_up: bool) -> None:
    """Where one try in three fails, retries begin when they are wanted; where four in five fail they do not."""
    budget, failed, late = RetryBudget(), 0.0, False
    for _ in range(5000):
        failed += share
        if failed >= 1:
            failed -= 1
            late = late or budget.retry_at(0.0, 0.0) > 0.0
        else:
            budget.earn()
    assert late is held_up


@given(st.lists(st.tuples(st.floats(0, 10), st.booleans()), max_size=50), st.floats(0, 1e6))
def test_no_retry_comes_before_it_is_wanted(steps: list[tuple[float, bool]], wanted: float) -> None:
    """And time pays every debt."""
    budget, now = RetryBudget(), 0.0
    for seconds, answered in steps:
        now += seconds
        if answered:
            budget.earn()
        assert budget.retry_at(wanted, now) >= wanted
    assert budget.retry_at(0.0, now + 1000) == 0.0
