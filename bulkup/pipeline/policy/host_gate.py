"""The limit on requests to one host.

Every host has one gate: the service's API, and each storage host that upload URLs name. A host's answer to one request
counts for all requests to it.

Theory of operation
-------------------

A gate has a width, the number of requests that may be under way, a time `closed_until`, and a pace once the host has
throttled (`policy.pace`). They determine its state:

    open       the width is `widest`
    narrow     the width is at least 1 and below `widest`
    paced      as open or narrow; requests also begin no faster than the rate that the host was seen to let pass
    closed     `closed_until` is in the future; no request may begin, but for a test

    event                                              next state
    an answer                                          wider by 1, or by 1 / (4 * width) near a width that was refused
    throttled, at least `least_held` under way         width cut to the requests that were under way, then halved
    throttled, fewer under way                         paced by a lower rate; the width does not limit this host
    throttled, and a lower rate does not help either   closed for a gap, which doubles until a request is accepted
    throttled with Retry-After                         closed for that long, at most `retry_after_max`. A test follows
    the test is accepted                               open: from now on this host's throttling counts as without a time
    the test is refused                                closed as before, and paced. Further tests are rarer
    another failure with Retry-After                   closed for that long
    `failures` failures in a row                       closed for a back-off
    `closed_until` has passed                          narrow, with width 1: a single request tests the host

The number of requests under way tells a limit on the number from a limit on the rate. A limit on the number refuses
no request once the width is below it. A limit on the rate goes on refusing, because a short request is soon followed by
the next. Of the requests under way, the highest number since the gate last narrowed counts. The width may be far above
it.

A `Retry-After` may mean all requests, or the refused one alone: stores and proxies send the same seconds with every
refusal of a rate limit. So after a tenth of that time, and at most `test_latest`, one request tests whether the host
accepts any. The refused file always waits as long as the host asked. No call tests the service's API: such calls are
few, and the API means all of them.

Near a refused width the gate widens slowly. Otherwise it would be that wide again at once, and the host would refuse
every second request.

A back-off grows with the number of closings since the host last answered. An outage begins with the first failure after
the last answer. It is reported once the gate has closed and the outage has lasted `retry_for`.

Invariants:

- 1 <= width <= `widest`. A caller begins a request only after `room` admitted it.
- A gate opens again: `closed_until` is at most `retry_after_max`, or one back-off, after the last failure.
- A request that began before the gate last closed or narrowed does not widen it, lower its rate or count as a closing:
  the host decided on it earlier. If it was throttled, the width is at most the number of the others under way then.
  Its `Retry-After` counts, unless the host is known to accept other requests.
- A file that cannot be read says nothing about the host. Such a result changes no state.
- On a cluster, a refusal that another machine met holds here as well (`hear`). Only the machine that met it tests the
  pause, and the others hear of the result.
- A host that never throttled has no pace, which costs its requests nothing.

Pure: times are monotonic seconds, passed in.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import field

from bulkup.helpers.quick_dataclass import dataclass
from bulkup.model.problems import OF_THE_HOST, Problem, ProblemKind
from bulkup.pipeline.options import RetryPolicy
from bulkup.pipeline.policy.pace import Pace, PaceOptions
from bulkup.pipeline.policy.retry_budget import RetryBudget, RetryBudgetOptions

_NOT_OF_THE_HOST = frozenset({ProblemKind.CHANGED, ProblemKind.UNREADABLE, ProblemKind.MACHINE})
_WITHOUT_ANSWER = _NOT_OF_THE_HOST | {ProblemKind.UNREACHABLE, ProblemKind.UNUSABLE}


@dataclass(frozen=True, slots=True)
class GateOptions:
    """When a gate closes, and how fast it widens.

    Failures in a row close a gate: `api_failures` of the API; of a storage host twice the number of workers, within
    `storage_failures` and `storage_failures_max`. Ten may be chance or files that always fail, and one lost connection
    may end the requests of all workers.

    A width of `near` times a refused width, and at least `near_least`, is near the refusal. There the gate widens by 1
    in `slow_turns` times as many answers as its width.

    A host that throttles fewer than `least_held` requests under way limits their rate. A pause is tested once, after
    `test_share` of it and at most `test_latest` seconds. Gaps without a rate begin with the time of a request, and at
    least `least_gap` seconds.

    Of two stages that wait for the same gate, the one that began the last request leaves the other `turn` seconds. At
    most `hosts` storage hosts have a gate at the same time.
    """

    api_failures: int = 10
    storage_failures: int = 50
    storage_failures_max: int = 128
    near: float = 7 / 8
    near_least: float = 4.0
    slow_turns: int = 4
    least_held: int = 4
    test_share: float = 0.1
    test_latest: float = 1.0
    least_gap: float = 0.001
    turn: float = 0.01
    hosts: int = 1000
    retries: RetryBudgetOptions = field(default_factory=RetryBudgetOptions)
    pace: PaceOptions = field(default_factory=PaceOptions)


class HostGate:
    """The gate of one host: at most `widest` requests at a time; `failures` in a row close it.

    `tests` says whether a request may test a pause that the host asked for. `tell` is called with each refusal that
    narrows or closes the gate, and with None when a test has opened it.
    """

    def __init__(
        self,
        widest: int,
        failures: int,
        policy: RetryPolicy,
        options: GateOptions,
        *,
        tests: bool = True,
        tell: Callable[[Problem | None], None] | None = None,
    ) -> None:
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
        self._pace: Pace | None = None  # until the host throttles
        self._latest: object = None  # the stage that began the last request
        self._pauses_all = True  # False: the host accepted a request during the pause that it had asked for
        self._test_at = math.inf
        self._tests = tests
        self._tell = tell
        self._tests_refused = 0
        self._before_test = 0  # closings without a test
        self._gap = 0.0
        self._not_refused = 0  # of the requests that were under way when the gate last narrowed
        self._listeners: list[Callable[[], None]] = []
        self._wanted = False

    @property
    def under_way(self) -> int:
        """Requests that have begun and not ended."""
        return self._under_way

    @property
    def unused(self) -> bool:
        """Whether no request is under way, and no caller waits for room."""
        return not (self._under_way or self._wanted)

    @property
    def paced(self) -> bool:
        """Whether the host has throttled, and a rate for it is learned."""
        return self._pace is not None

    def on_room(self, listener: Callable[[], None]) -> None:
        """Call `listener` when a request ends after a caller found less room than it wanted."""
        if listener not in self._listeners:
            self._listeners.append(listener)

    def allow(self, widest: int) -> None:
        """Raise the most requests at a time. A gate that the host has narrowed widens by its answers, as before."""
        if widest > self._widest:
            self._width = float(widest) if self._width == self._widest else self._width
            self._widest = float(widest)
            self._wake_waiting()

    def room(self, now: float, wanted: int = 1) -> int:
        """Return how many of the wanted requests may begin."""
        if wanted == 1 and self._pace is None and self._under_way + 1 <= self._width and now >= self.closed_until:
            return 1  # nearly always
        if now < self.closed_until:
            room = 1 if now >= self._test_at else 0
        else:
            room = max(0, int(self._width) - self._under_way)
            if self._pace is not None:
                room = int(min(room, self._pace.room(now)))
        self._wanted = self._wanted or room < wanted
        return min(room, wanted)

    def next_room(self, now: float, by: object = None) -> float:
        """Return the time before which no request may begin, even if others end. `by` is the stage that asks."""
        if now < self.closed_until:
            return min(self.closed_until, self._test_at if now < self._test_at else math.inf)
        if self._pace is None or (at := self._pace.next_at(now)) <= now:
            return now
        return at if by is None or by is not self._latest else at + self._options.turn

    def begin(self, by: object = None) -> None:
        """Record that a request has begun, by a stage."""
        self._under_way += 1
        self._most_under_way = max(self._most_under_way, self._under_way)
        if self._pace is not None:
            self._pace.begin()
            self._test_at, self._latest = math.inf, by

    def withdraw(self) -> None:
        """Take a request back that was not sent after all: it says nothing of the host."""
        self._under_way -= 1
        if self._pace is not None:
            self._pace.withdraw()
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
            self._answered(begun, now)
        self._wake_waiting()

    def hear(self, problem: Problem | None, now: float, echo: float) -> None:
        """Take a refusal that another machine met, or None where its test was accepted.

        A gate that has narrowed in the last `echo` seconds stays as it is: its own requests met the same limit.
        """
        if problem is None:
            self.closed_until = min(self.closed_until, now)
            self._wake_waiting()
            return
        asked = min(problem.retry_after or 0.0, self._policy.retry_after_max)
        if now - self._narrowed_at >= echo and problem.kind is ProblemKind.THROTTLED:
            pace = self._pace = self._pace or Pace(self._options.pace, now)
            if self._narrow(now) < self._options.least_held and not asked:
                self._near_refusal = math.inf
                pace.refuse(now)
        if asked:
            self.closed_until, self._width, self._test_at = max(self.closed_until, now + asked), 1.0, math.inf

    def _wake_waiting(self) -> None:
        if self._wanted:
            self._wanted = False
            for listener in self._listeners:
                listener()

    def outage(self, now: float, counts_from: float = -math.inf) -> float | None:
        """Return the seconds since the host last answered, once they exceed `retry_for`; else None.

        Only seconds after `counts_from` count: before it the run was paused.
        """
        if not self._closings or self._failing_since is None:
            return None
        lasted = now - max(self._failing_since, counts_from)
        return lasted if lasted > self._policy.retry_for else None

    def _answered(self, begun: float, now: float) -> None:
        self._failures = 0
        self._failing_since = None
        self.retries.earn()
        if self._pace is not None:
            self._accepted(self._pace, begun, now)
        if begun >= self._closed_at:
            self._closings = 0
        if begun >= self._narrowed_at and self._width < self._widest:
            self._widen()

    def _accepted(self, pace: Pace, begun: float, now: float) -> None:
        pace.accept(begun)
        if begun > self._closed_at:
            self._gap /= 2
            if now < self.closed_until:
                self.closed_until, self._pauses_all, self._tests_refused = now, False, 0
                pace.measure_anew()
                self._tell_others(None)

    def _widen(self) -> None:
        if self._width < self._near_refusal:
            self._width = min(self._widest, self._width + 1, self._near_refusal)
        else:
            self._width = min(self._widest, self._width + 1 / (self._options.slow_turns * self._width))

    def _failed(self, problem: Problem, begun: float, now: float, chance: float) -> None:
        self._failures += 1
        self._failing_since = now if self._failing_since is None else self._failing_since
        asked = min(problem.retry_after or 0.0, self._policy.retry_after_max)
        if problem.kind is ProblemKind.THROTTLED:
            if begun >= self._narrowed_at:
                self._tell_others(problem if self._pauses_all else dataclasses.replace(problem, retry_after=None))
            self._throttled(asked, begun, now, chance)
        elif asked:
            self._tell_others(problem)
            self._close(now + asked, begun, now)
        else:
            self._lost(begun, now, chance)

    def _throttled(self, asked: float, begun: float, now: float, chance: float) -> None:
        pace = self._pace = self._pace or Pace(self._options.pace, now)
        if begun < self._narrowed_at:
            # Requests that were under way together are refused together: only the first refusal halves the width.
            self._not_refused -= 1
            self._width = min(self._width, max(1.0, float(self._not_refused)))
            if asked and self._pauses_all:
                self._close(now + asked, begun, now)
            return
        tested = begun > self._closed_at and now < self.closed_until
        most = self._narrow(now)
        if asked and self._pauses_all:
            if tested and not self._under_way:
                self._tests_refused += 1
                self._before_test = 2 ** min(self._tests_refused, 16)
            elif self._tests_refused or not self._tests:
                pace.refuse(now, asked)
            self._close(now + asked, begun, now)
            self._plan_test(asked, now)
        elif most < self._options.least_held:
            self._near_refusal = math.inf
            if not pace.refuse(now):
                self._wait(pace, asked, begun, now, chance)

    def _tell_others(self, problem: Problem | None) -> None:
        if self._tell is not None:
            self._tell(problem)

    def _narrow(self, now: float) -> int:
        """Halve the number of requests that may be under way, and return how many were."""
        # The gate may be far wider than the number of requests that were under way.
        self._width = min(self._width, float(self._most_under_way))
        most, self._most_under_way = int(self._width), self._under_way
        self._not_refused = most - 1
        near = min(self._options.near * self._width, self._width - 1)
        self._near_refusal = max(self._options.near_least, near)
        self._width, self._narrowed_at = max(1.0, self._width / 2), now
        return most

    def _plan_test(self, asked: float, now: float) -> None:
        self._before_test -= 1
        if self._tests and self._before_test < 0:
            self._test_at = now + min(self._options.test_share * asked, self._options.test_latest)

    def _wait(self, pace: Pace, asked: float, begun: float, now: float, chance: float) -> None:
        """Close for a gap: no rate is known, or the host accepts nothing for now."""
        shortest = max(now - begun, self._options.least_gap, 1 / pace.rate)
        self._gap = min(max(2 * self._gap, shortest), self._policy.cap)
        if asked and self._gap >= min(asked, self._options.test_latest):
            self._pauses_all = True
            self._close(now + asked, begun, now)
        else:
            self._close(now + self._gap * (1 + chance) / 2, begun, now)

    def _lost(self, begun: float, now: float, chance: float) -> None:
        if self._failures >= self._most_failures and begun >= self._narrowed_at:
            self._close(now + self._pause(chance), begun, now)

    def _close(self, until: float, begun: float, now: float) -> None:
        self.closed_until = max(self.closed_until, until)
        self._width = 1.0
        if begun >= self._closed_at:
            self._closed_at = self._narrowed_at = now
            self._closings += 1
            self._test_at = math.inf

    def _pause(self, chance: float) -> float:
        longest = min(self._policy.cap, self._policy.base * 2.0 ** min(self._closings, 32))
        return longest * (1 + chance) / 2
