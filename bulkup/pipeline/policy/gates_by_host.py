"""The host gates of a run: one for the API, and one for each storage host. Pure."""

from __future__ import annotations

from collections.abc import Callable

from bulkup.helpers.secrets import SecretUrl
from bulkup.model.problems import Problem
from bulkup.pipeline.options import PipelineOptions
from bulkup.pipeline.policy.host_gate import GateOptions, HostGate

API = "api"  # the name of the API's gate, among the origins of storage hosts


class HostGates:
    """The gates of a run: one for the service's API, and one for each storage host.

    `tell` is set where other machines send to the same hosts: it is called with the name of a gate, and a refusal or
    None, as `HostGate` says.
    """

    def __init__(self, options: PipelineOptions, gate: GateOptions) -> None:
        self._options = options
        self._gate = gate
        self._widest = options.concurrency
        self.tell: Callable[[str, Problem | None], None] | None = None
        # The batcher and the closer each limit their own calls; the gate must hold the calls of both.
        most = options.calls_in_flight + options.most_closing_calls
        self.api = HostGate(most, gate.api_failures, options.retry, gate, tests=False, tell=self._teller(API))
        self._storage: dict[str, HostGate] = {}

    def __len__(self) -> int:
        return 1 + len(self._storage)

    def storage(self, url: SecretUrl) -> HostGate:
        """Return the gate of the host that this URL names."""
        origin = url.origin
        gate = self._storage.get(origin)
        if gate is None:
            if len(self._storage) >= self._gate.hosts:
                self._drop_gate()
            most, options = self._widest, self._gate
            failures = max(options.storage_failures, min(2 * most, options.storage_failures_max))
            tell = self._teller(origin)
            gate = self._storage[origin] = HostGate(most, failures, self._options.retry, options, tell=tell)
        elif len(self._storage) > 1:
            self._storage[origin] = self._storage.pop(origin)  # the first one is always the least recently used
        return gate

    def allow(self, requests: int) -> None:
        """Let each storage host have up to `requests` at a time, unless it has throttled."""
        self._widest = requests
        for gate in self._storage.values():
            gate.allow(requests)

    def hear(self, name: str, problem: Problem | None, now: float, echo: float) -> None:
        """Take a refusal that another machine met at a gate, or None where its test was accepted."""
        gate = self.api if name == API else self._storage.get(name)
        if gate is not None:
            gate.hear(problem, now, echo)

    def _teller(self, name: str) -> Callable[[Problem | None], None]:
        return lambda problem: None if self.tell is None else self.tell(name, problem)

    def _drop_gate(self) -> None:
        """Forget one gate: a service that names a new host for each file would fill the memory."""
        gates = self._storage.items()
        unused = next((origin for origin, gate in gates if gate.unused), None)
        free = next((origin for origin, gate in gates if not gate.under_way), next(iter(self._storage)))
        del self._storage[free if unused is None else unused]
