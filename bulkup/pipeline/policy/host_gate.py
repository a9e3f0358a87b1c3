"""How many requests a host gets at a time, and from when on: what it asks of one, or does to one, it means for all.

A gate is closed for as long as the host asks (`Retry-After`), then open for one request, and a little wider with each
that is answered. A refusal without a time makes it half as wide as what was under way. Near to what the host refused it
widens slowly: else it would be there again at once, and every other request be refused. So many failures in a row close
it as well, for longer each time: one request finds out whether the host is back, and not a thousand. Pure: times are
monotonic seconds.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from bulkup.helpers.secrets import SecretUrl
from bulkup.model.problems import OF_THE_HOST, Problem, ProblemKind
from bulkup.pipeline.options import PipelineOptions, RetryPolicy

_MOST = 100.0
_PER_ANSWER = 0.7  # what fails one time in three costs half a retry for each success: that is not to be slowed down
_PER_SECOND = 5.0


class RetryBudget:
    """Every answer earns a part of a retry, and so does time; who comes when nothing is left waits for his turn."""

    def __init__(self) -> None:
        self._tokens = _MOST
        self._counted_at: float | None = None

    def earn(self) -> None:
        """Note that the host answered."""
        self._tokens = min(_MOST, self._tokens + _PER_ANSWER)

    def retry_at(self, wanted: float, now: float) -> float:
        """Take a retry that is wanted at a time, and return when it may be: then, or later."""
        passed = 0.0 if self._counted_at is None else max(0.0, now - self._counted_at)
        self._counted_at = now
        self._tokens = min(_MOST, self._tokens + passed * _PER_SECOND) - 1
        return max(wanted, now - self._tokens / _PER_SECOND) if self._tokens < 0 else wanted


_NOT_OF_THE_HOST = frozenset({ProblemKind.CHANGED, ProblemKind.UNREADABLE, ProblemKind.MACHINE})
# Chance brings a few failures in a row, and a handful of files that always fail is no outage. A connection that is lost
# can take with it what all workers have under way.
_API_FAILURES = 10
_STORAGE_FAILURES = 50
_MOST_STORAGE_FAILURES = 128
# What is so near to a number of requests that was refused is approached by one request in four turns of all of them.
_NEAR = 7 / 8
_SLOWLY = 4
_NEVER_NEAR = 4.0
_MOST_HOSTS = 1000


class HostGate:
    """The gate of one host. `widest` is in requests; so many failures as `in_a_row` close it."""

    def __init__(self, widest: int, in_a_row: int, policy: RetryPolicy) -> None:
        self.closed_until = 0.0
        self.retries = RetryBudget()
        self._widest = float(widest)
        self._width = float(widest)
        self._near_refusal = math.inf
        self._most_failures = in_a_row
        self._policy = policy
        self._under_way = 0
        self._most_under_way = 0  # since the gate was narrowed last
        self._failures = 0  # in a row
        self._closings = 0  # since the host last answered
        self._failing_since: float | None = None
        self._narrowed_at = self._closed_at = -math.inf
        self._listeners: list[Callable[[], None]] = []
        self._wanted = False

    def on_room(self, listener: Callable[[], None]) -> None:
        """Have `listener` called when a request has ended after somebody found less room than he wanted."""
        self._listeners.append(listener)

    def room(self, now: float, wanted: int = 1) -> int:
        """Return how many of the requests that are wanted may begin."""
        room = 0 if now < self.closed_until else max(0, int(self._width) - self._under_way)
        self._wanted = self._wanted or room < wanted
        return min(room, wanted)

    def begin(self) -> None:
        """Note that a request has begun."""
        self._under_way += 1
        self._most_under_way = max(self._most_under_way, self._under_way)

    def end(self, problem: Problem | None, begun: float, now: float, chance: float) -> None:
        """Note what came of a request that began at `begun`; `chance` is in [0, 1)."""
        self._under_way -= 1
        kind = problem.kind if problem is not None else None
        if problem is not None and kind in OF_THE_HOST:
            self._failed(problem, begun, now, chance)
        elif kind not in _NOT_OF_THE_HOST:
            self._answered(begun)
        if self._wanted:
            self._wanted = False
            for listener in self._listeners:
                listener()

    def outage(self, now: float) -> float | None:
        """Return for how many seconds the host has answered nobody, once that is longer than anybody is to wait."""
        if not self._closings or self._failing_since is None:
            return None
        lasted = now - self._failing_since
        return lasted if lasted > self._policy.retry_for else None

    def _answered(self, begun: float) -> None:
        self._failures = 0
        self._failing_since = None
        self.retries.earn()
        # What was under way when the gate closed or narrowed says nothing of what the host bears since.
        if begun >= self._closed_at:
            self._closings = 0
        if begun >= self._narrowed_at:
            self._widen()

    def _widen(self) -> None:
        if self._width < self._near_refusal:
            self._width = min(self._widest, self._width + 1, self._near_refusal)
        else:
            self._width = min(self._widest, self._width + 1 / (_SLOWLY * self._width))

    def _failed(self, problem: Problem, begun: float, now: float, chance: float) -> None:
        self._failures += 1
        self._failing_since = now if self._failing_since is None else self._failing_since
        if problem.kind is ProblemKind.THROTTLED and begun >= self._narrowed_at:
            # The gate may be far wider than what goes through it.
            self._width = min(self._width, float(self._most_under_way))
            self._most_under_way = self._under_way
            self._near_refusal = max(_NEVER_NEAR, min(_NEAR * self._width, self._width - 1))
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
            # Those that were under way say the same thing once more, hence only what began after the last time counts.
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
    """The gates of a run: one for the service's API, and one for each host that its upload URLs name."""

    def __init__(self, options: PipelineOptions) -> None:
        self._options = options
        # Calls that ask for URLs and closing calls are bounded apart, by their stages.
        self.api = HostGate(2 * options.calls_in_flight, _API_FAILURES, options.retry)
        self._storage: dict[str, HostGate] = {}

    def storage(self, url: SecretUrl) -> HostGate:
        """Return the gate of the host that this URL names."""
        origin = url.origin
        gate = self._storage.get(origin)
        if gate is None:
            if len(self._storage) >= _MOST_HOSTS:
                # A service that names a new host for each file has nothing to be remembered of them.
                self._storage.clear()
            most = self._options.concurrency
            in_a_row = max(_STORAGE_FAILURES, min(2 * most, _MOST_STORAGE_FAILURES))
            gate = self._storage[origin] = HostGate(most, in_a_row, self._options.retry)
        return gate
