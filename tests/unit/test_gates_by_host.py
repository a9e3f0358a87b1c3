"""The gates of a run: one for each host, a limited number, and refusals that another machine met."""

from __future__ import annotations

from bulkup.helpers.secrets import SecretUrl
from bulkup.model.problems import Problem, ProblemKind
from bulkup.pipeline.options import PipelineOptions
from bulkup.pipeline.policy.gates_by_host import HostGates
from bulkup.pipeline.policy.host_gate import GateOptions, HostGate

BROKE = Problem(ProblemKind.TRANSIENT, "it broke")
URL = SecretUrl("https://storage.example/a?x")
SLOW_DOWN = Problem(ProblemKind.THROTTLED, "slow down")
PAUSE = Problem(ProblemKind.THROTTLED, "slow down", retry_after=10.0)


def test_each_host_has_a_gate_of_its_own() -> None:
    """By scheme, name and port; the service's API has one, too."""
    gates = HostGates(PipelineOptions(), GateOptions())
    one = gates.storage(SecretUrl("https://a.example/1?X-Amz-Signature=secret"))
    assert gates.storage(SecretUrl("https://a.example/2")) is one
    for other in ("https://b.example/1", "https://a.example:444/1", "http://a.example/1"):
        assert gates.storage(SecretUrl(other)) is not one
    assert gates.api is not one


def test_the_number_of_gates_is_limited() -> None:
    """A hostile service may name a new host for each file. The gates that were used last stay."""
    gates = HostGates(PipelineOptions(), GateOptions(hosts=10))
    first = gates.storage(SecretUrl("https://first.example/1"))
    for number in range(25):
        gates.storage(SecretUrl(f"https://{number}.example/1"))
        assert len(gates) <= 11
        assert gates.storage(SecretUrl("https://first.example/2")) is first


def test_a_gate_in_use_is_kept() -> None:
    """Forgetting it would admit its full width a second time."""
    gates = HostGates(PipelineOptions(), GateOptions(hosts=3))
    busy, held, unused = (gates.storage(SecretUrl(f"https://{name}.example/1")) for name in ("busy", "held", "unused"))
    busy.begin()
    for _ in range(64):
        held.begin()
        held.end(BROKE, 0.0, 0.0, 0.5)
    assert held.room(0.0) == 0
    for number in range(25):
        gates.storage(SecretUrl(f"https://{number}.example/1"))
    assert gates.storage(SecretUrl("https://busy.example/2")) is busy
    assert gates.storage(SecretUrl("https://held.example/2")) is held
    assert gates.storage(SecretUrl("https://unused.example/2")) is not unused


def test_more_requests_are_allowed_to_hosts_that_are_known_and_to_later_ones() -> None:
    gates = HostGates(PipelineOptions(concurrency=2), GateOptions())
    gates.storage(SecretUrl("https://a.example/1"))
    gates.allow(5)
    for host in ("https://a.example/2", "https://b.example/1"):
        assert gates.storage(SecretUrl(host)).room(0.0, 9) == 5


def two_machines() -> tuple[HostGates, HostGates, list[tuple[str, Problem | None]]]:
    """Return the gates of two machines, and what the first tells the second."""
    one, other = (HostGates(PipelineOptions(), GateOptions()) for _ in range(2))
    told = list[tuple[str, Problem | None]]()
    one.tell = lambda name, problem: told.append((name, problem))
    return one, other, told


def busy(gate: HostGate, requests: int) -> None:
    for _ in range(requests):
        gate.begin()


def pass_on(other: HostGates, told: list[tuple[str, Problem | None]], now: float) -> None:
    for name, problem in told:
        other.hear(name, problem, now, 0.25)
    told.clear()


def test_a_pause_that_one_machine_was_asked_for_holds_for_the_other() -> None:
    one, other, told = two_machines()
    ours, theirs = one.storage(URL), other.storage(URL)
    busy(ours, 8)
    ours.end(PAUSE, 0.0, 1.0, 0.5)
    pass_on(other, told, 1.0)
    assert theirs.room(2.5) == 0  # no test either: only the machine that was asked makes one
    assert theirs.room(11.1) == 1
    assert ours.room(2.5) == 1


def test_an_accepted_test_opens_the_gates_of_all() -> None:
    one, other, told = two_machines()
    ours, theirs = one.storage(URL), other.storage(URL)
    busy(ours, 2)
    ours.end(PAUSE, 0.0, 1.0, 0.5)
    pass_on(other, told, 1.0)
    ours.begin()
    ours.end(None, 2.1, 2.2, 0.5)
    assert told == [("https://storage.example", None)]
    pass_on(other, told, 2.2)
    assert theirs.room(2.3) == 1


def test_a_refusal_narrows_the_gates_of_all_once() -> None:
    one, other, told = two_machines()
    ours, theirs = one.storage(URL), other.storage(URL)
    busy(ours, 16)
    busy(theirs, 16)
    for _ in range(3):
        ours.end(SLOW_DOWN, 0.0, 1.0, 0.5)
    assert len(told) == 1
    pass_on(other, told, 1.1)
    assert theirs.room(1.2, 100) == 0  # half of those under way
    width = theirs._width
    other.hear("https://storage.example", SLOW_DOWN, 1.2, 0.25)
    assert theirs._width == width  # an echo
    other.hear("https://storage.example", SLOW_DOWN, 2.0, 0.25)
    assert theirs._width < width


def test_the_gate_of_the_api_is_shared_too() -> None:
    one, other, told = two_machines()
    one.api.begin()
    one.api.end(PAUSE, 0.0, 1.0, 0.5)
    pass_on(other, told, 1.0)
    assert other.api.room(5.0) == 0
    assert other.api.room(11.1) == 1


def test_a_host_without_a_gate_here_is_ignored() -> None:
    _, other, _ = two_machines()
    other.hear("https://elsewhere.example", PAUSE, 1.0, 0.25)
    assert len(other) == 1
