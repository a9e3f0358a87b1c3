"""Refusals of a host that another machine met: they hold for requests from here as well."""

from __future__ import annotations

from bulkup.helpers.secrets import SecretUrl
from bulkup.model.problems import Problem, ProblemKind
from bulkup.pipeline import PipelineOptions
from bulkup.pipeline.policy.gates_by_host import HostGates
from bulkup.pipeline.policy.host_gate import GateOptions, HostGate

URL = SecretUrl("https://storage.example/a?x")
SLOW_DOWN = Problem(ProblemKind.THROTTLED, "slow down")
PAUSE = Problem(ProblemKind.THROTTLED, "slow down", retry_after=10.0)


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
