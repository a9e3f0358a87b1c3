"""The limit on requests to one host, and the retry budget that goes with it.

Every host has one gate: the service's API, and each storage host that upload URLs name. A host's answer to one request
counts for all requests to it.

Theory of operation
-------------------

A gate has a width, the number of requests that may be under way, and a time `closed_until`. They determine its state:

    open       the width is `widest`
    narrow     the width is at least 1 and below `widest`
    closed     `closed_until` is in the future; no request may begin

    event                                 next state
    an answer                             wider by 1, or by 1 / (4 * width) near a width that was refused
    a failure with Retry-After            closed for that long, at most `retry_after_max`
    throttled without a time              width cut to the requests that were under way, then halved
    throttled, fewer than 2 under way     closed for a back-off
    `failures` failures in a row          closed for a back-off
    `closed_until` has passed             narrow, with width 1: a single request tests the host

Of the requests under way, the highest number since the gate last narrowed counts. The width may be far above it.

Near a refused width the gate widens slowly. Otherwise it would be that wide again at once, and the host would refuse
every second request.

A back-off grows with the number of closings since the host last answered. An outage begins with the first failure after
the last answer. It is reported once the gate has closed and the outage has lasted `retry_for`.

Invariants:

- 1 <= width <= `widest`. A caller begins a request only after `room` admitted it.
- A gate opens again: `closed_until` is at most `retry_after_max`, or one back-off, after the last failure.
- A request that began before the gate last closed or narrowed does not widen it, narrow it or count as a closing: the
  host decided on it earlier. Only a `Retry-After` always counts.
- A file that cannot be read says nothing about the host. Such a result changes no state.

Pure: times are monotonic seconds, passed in.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import field

from bulkup.helpers.quick_dataclass import dataclass
from bulkup.helpers.secrets import SecretUrl
from bulkup.model.problems import OF_THE_HOST, Problem, ProblemKind
from bulkup.pipeline.options import PipelineOptions, RetryPolicy

_NOT_OF_THE_HOST = frozenset({ProblemKind.CHANGED, ProblemKind.UNREADABLE, ProblemKind.MACHINE})

_WITHOUT_ANSWER = _NOT_OF_THE_HOST | {ProblemKind.UNREACHABLE, ProblemKind.UNUSABLE}


@dataclass(frozen=True, slots=True)
class RetryBudgetOptions:
    """The size of a retry budget, and the tokens that it gains.

    With 0.7 tokens per answer, a host that fails three of ten requests delays no retry.
    """

    size: float = 100.0
    per_answer: float = 0.7
    per_second: float = 5.0


@dataclass(frozen=True, slots=True)
class GateOptions:
    """When a gate closes, and how fast it widens.

    Failures in a row close a gate: `api_failures` of the API; of a storage host twice the number of workers, within
    `storage_failures` and `storage_failures_max`. Ten may be chance or files that always fail, and one lost connection
    may end the requests of all workers.

    A width of `near` times a refused width, and at least `near_least`, is near the refusal. There the gate widens by 1
    in `slow_turns` times as many answers as its width. At most `hosts` storage hosts have a gate at the same time.
    """

    api_failures: int = 10
    storage_failures: int = 50
    storage_failures_max: int = 128
    near: float = 7 / 8
    near_least: float = 4.0
    slow_turns: int = 4
    hosts: int = 1000
    retries: RetryBudgetOptions = field(default_factory=RetryBudgetOptions)


class RetryBudget:
    """A token bucket of retries: answered requests and elapsed time add tokens.

    When the bucket is empty, `retry_at` returns a later time.
    """

    def __init__(self, options: RetryBudgetOptions) -> None:
        self._options = options
        self._tokens = options.size
        self._counted_at: float | None = None

    def earn(self) -> None:
        """Add the tokens of one answer."""
        self._tokens = min(self._options.size, self._tokens + self._options.per_answer)

    def retry_at(self, wanted: float, now: float) -> float:
        """Take a token for a retry; return the time at which it may begin: `wanted` or later."""
        size, per_second = self._options.size, self._options.per_second
        passed = 0.0 if self._counted_at is None else max(0.0, now - self._counted_at)
        self._counted_at = now
        self._tokens = min(size, self._tokens + passed * per_second) - 1
        return max(wanted, now - self._tokens / per_second) if self._tokens < 0 else wanted


class HostGate:
    """The gate of one host: at most `widest` requests at a time; `failures` in a row close it."""

    def __init__(self, widest: int, failures: int, policy: RetryPolicy, options: GateOptions) -> None:
        self.closed_until = -math.inf
        self.last_answer: float | None = None  # of any kind, if only an error of the host
        self.retries = RetryBudget(options.retries)
        self._options = options
        self._widest = float(widest)
        self._width = float(widest)
        self._near_refusal = math.inf
        self._most_failures = failures
        self._policy = policy
        self._under_way = 0
        self._most_under_way = 0  # since the gate last narrowed
        self._failures = 0  # in a row
        self._closings = 0  # since the host last answered
        self._failing_since: float | None = None
        self._narrowed_at = self._closed_at = -math.inf
        self._listeners: list[Callable[[], None]] = []
        self._wanted = False

    def on_room(self, listener: Callable[[], None]) -> None:
        """Call `listener` when a request ends after a caller found less room than it wanted."""
        self._listeners.append(listener)

    def room(self, now: float, wanted: int = 1) -> int:
        """Return how many of the wanted requests may begin."""
        room = 0 if now < self.closed_until else max(0, int(self._width) - self._under_way)
        self._wanted = self._wanted or room < wanted
        return min(room, wanted)

    def begin(self) -> None:
        """Record that a request has begun."""
        self._under_way += 1
        self._most_under_way = max(self._most_under_way, self._under_way)

    def withdraw(self) -> None:
        """Take a request back that was not sent after all: it says nothing of the host."""
        self._under_way -= 1
        self._wake_waiting()

    def end(self, problem: Problem | None, begun: float, now: float, chance: float) -> None:
        """Record the result of a request that began at `begun`; `chance` is in [0, 1)."""
        self._under_way -= 1
        kind = problem.kind if problem is not None else None
        if kind not in _WITHOUT_ANSWER and not (problem is not None and problem.unanswered):
            self.last_answer = now
        if problem is not None and kind in OF_THE_HOST:
            self._failed(problem, begun, now, chance)
        elif kind not in _NOT_OF_THE_HOST:
            self._answered(begun)
        self._wake_waiting()

    def _wake_waiting(self) -> None:
        if self._wanted:
            self._wanted = False
            for listener in self._listeners:
                listener()

    def outage(self, now: float) -> float | None:
        """Return the seconds since the host last answered, once they exceed `retry_for`; else None."""
        if not self._closings or self._failing_since is None:
            return None
        lasted = now - self._failing_since
        return lasted if lasted > self._policy.retry_for else None

    def _answered(self, begun: float) -> None:
        self._failures = 0
        self._failing_since = None
        self.retries.earn()
        if begun >= self._closed_at:
            self._closings = 0
        if begun >= self._narrowed_at:
            self._widen()

    def _widen(self) -> None:
        if self._width < self._near_refusal:
            self._width = min(self._widest, self._width + 1, self._near_refusal)
        else:
            self._width = min(self._widest, self._width + 1 / (self._options.slow_turns * self._width))

    def _failed(self, problem: Problem, begun: float, now: float, chance: float) -> None:
        self._failures += 1
        self._failing_since = now if self._failing_since is None else self._failing_since
        if problem.kind is ProblemKind.THROTTLED and begun >= self._narrowed_at:
            # The gate may be far wider than the number of requests that were under way.
            self._width = min(self._width, float(self._most_under_way))
            self._most_under_way = self._under_way
            near = min(self._options.near * self._width, self._width - 1)
            self._near_refusal = max(self._options.near_least, near)
        if problem.retry_after:
            self._close(now + min(problem.retry_after, self._policy.retry_after_max), now)
        elif problem.kind is ProblemKind.THROTTLED:
            self._throttled(begun, now, chance)
        else:
            self._lost(begun, now, chance)

    def _throttled(self, begun: float, now: float, chance: float) -> None:
        if begun >= self._narrowed_at:
            if self._width < 2:
                self._close(now + self._pause(chance), now)
            # Requests that were under way together are refused together: only the first refusal narrows.
            self._width, self._narrowed_at = max(1.0, self._width / 2), now

    def _lost(self, begun: float, now: float, chance: float) -> None:
        if self._failures >= self._most_failures and begun >= self._narrowed_at:
            self._close(now + self._pause(chance), now)

    def _close(self, until: float, now: float) -> None:
        self.closed_until = max(self.closed_until, until)
        self._width = 1.0
        self._closed_at = self._narrowed_at = now
        self._closings += 1

    def _pause(self, chance: float) -> float:
        longest = min(self._policy.cap, self._policy.base * 2.0 ** min(self._closings, 32))
        return longest * (1 + chance) / 2


class HostGates:
    """The gates of a run: one for the service's API, and one for each storage host."""

    def __init__(self, options: PipelineOptions, gate: GateOptions) -> None:
        self._options = options
        self._gate = gate
        # The batcher and the closer each limit their own calls; the gate must hold the calls of both.
        self.api = HostGate(2 * options.calls_in_flight, gate.api_failures, options.retry, gate)
        self._storage: dict[str, HostGate] = {}

    def __len__(self) -> int:
        return 1 + len(self._storage)

    def storage(self, url: SecretUrl) -> HostGate:
        """Return the gate of the host that this URL names."""
        origin = url.origin
        gate = self._storage.get(origin)
        if gate is None:
            if len(self._storage) >= self._gate.hosts:
                # A service that names a new host for each file would fill the memory.
                self._storage.clear()
            most, options = self._options.concurrency, self._gate
            failures = max(options.storage_failures, min(2 * most, options.storage_failures_max))
            gate = self._storage[origin] = HostGate(most, failures, self._options.retry, options)
        return gate
