"""The gates of a run: one for each host, and a limited number."""

from __future__ import annotations

from bulkup.helpers.secrets import SecretUrl
from bulkup.model.problems import Problem, ProblemKind
from bulkup.pipeline.options import PipelineOptions
from bulkup.pipeline.policy.gates_by_host import HostGates
from bulkup.pipeline.policy.host_gate import GateOptions

BROKE = Problem(ProblemKind.TRANSIENT, "it broke")


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
