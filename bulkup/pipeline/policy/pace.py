"""The rate at which requests to a throttling host begin, learned from its answers.

Theory of operation
-------------------

A host does not tell the rate that it allows. But between two refusals a rate limit lets just its rate pass: the
accepted requests, divided by the time from one refusal to the next, are the rate. A pace begins with the first refusal.

    unlimited   from the first refusal; accepted requests are counted
    limited     requests begin at `rate`, which grows until one is refused

    event                                                next state
    a refusal, `enough` accepted since the measurement   limited, to `margin` times the measured rate
      began
    a refusal, fewer accepted, the first such one        as before, with `least_kept` times the rate
    a refusal, fewer accepted, again                     as before: the host gate pauses instead
    a refusal by which the rate has sunk to `sunk` of    unlimited, if the host went on accepting `in_vain` of
      what it was, although most requests pass             the requests meanwhile: a lower rate does not help

The rate grows slowly near the measured rate and then faster, so that a limit that was raised or lifted is found. It
grows only while it holds requests back. The time of the growth is counted in spans. A short measurement is vague, so
the span after it is short. It doubles while measurements agree, and is longest where each refusal costs a pause.

After the rate has grown by a factor of `steep`, the measurement begins anew, without a refusal. Otherwise requests that
passed while the rate was far too low would count.

Some hosts refuse a share of the requests at any rate: they are overloaded by others, or fail by chance. There every
measurement is a little below the rate, so the rate would sink without end. A host with a rate limit refuses either few
requests at the measured rate, or most of those above it.

A pause that the host asked for belongs to the measured time. That is right for a host that counts requests in fixed
windows, and much too low for one that punishes. So a refusal with a pause keeps at least `least_kept` of the rate. Any
other one keeps at least `least_measured`, because the host may have accepted nothing for a while.

Pure: times are monotonic seconds, passed in.
"""

from __future__ import annotations

import math

from bulkup.helpers.quick_dataclass import dataclass

_ROUNDING = 1e-3  # of a token: a loop that wakes at `next_at` must find it


@dataclass(frozen=True, slots=True)
class PaceOptions:
    """How a rate is learned, and how it grows. Times in seconds.

    The bucket holds one request, and those of `burst` seconds, because a loop may wake late.

    After n spans the rate is higher by `n * slow + n**3 * fast` of itself. A span is `stretch` times the time since the
    refusal before, within `shortest` and `longest`. After a measurement below `least_measured` that time counts as
    `doubtful`. Where each refusal costs a pause, a span may be `pauses` times as long as the pause, at most
    `longest_paused`. Measurements that differ by less than `alike` agree.

    A measurement begins anew after `memory`, or after the rate has grown by `steep`, if it has `plenty` of requests.

    A rate that has sunk to `sunk` of what it was, with at least `isolated` refusals between accepted requests, was
    lowered in vain if `in_vain` of all requests were accepted.
    """

    enough: int = 8
    margin: float = 0.97
    least_kept: float = 0.8
    least_measured: float = 0.5
    burst: float = 0.05
    slow: float = 0.05
    fast: float = 0.1
    stretch: float = 2.0
    shortest: float = 0.5
    doubtful: float = 1.0
    longest: float = 10.0
    pauses: float = 20.0
    longest_paused: float = 60.0
    alike: float = 0.03
    memory: float = 60.0
    steep: float = 1.2
    plenty: int = 32
    sunk: float = 0.5
    in_vain: float = 0.5
    isolated: int = 5


class Pace:
    """A token bucket of requests to one host, whose rate is learned. Created at the first refusal, at `now`."""

    def __init__(self, options: PaceOptions, now: float) -> None:
        self.rate = math.inf
        self._options = options
        self._refused_at = now
        self._lowered = False  # since a rate was measured
        self._before: float | None = None  # it was lowered, to be restored if that does not help
        self._measured: float | None = None
        self._measured_from = now
        self._rate_at_first = math.inf  # when the measurement began
        self._accepted = 0  # of the requests that began since then
        self._earlier: tuple[float, int] | None = None  # the measurement before, until this one has enough
        self._span = options.shortest
        self._lowest = math.inf  # the rate from which it grows
        self._grown = 0.0  # seconds of growth
        self._tokens = 0.0
        self._filled_at = now
        self._sinking = _Sinking(math.inf)

    def room(self, now: float) -> float:
        """Return how many requests may begin."""
        if self.rate == math.inf:
            return math.inf
        self._fill(now)
        return math.floor(max(0.0, self._tokens + _ROUNDING))

    def next_at(self, now: float) -> float:
        """Return when the next request may begin: `now` or later."""
        return now + max(0.0, 1 - self._tokens) / self.rate if self.rate < math.inf else now

    def begin(self) -> None:
        """Take the token of a request."""
        self._tokens -= 1

    def withdraw(self) -> None:
        """Return the token of a request that was not sent."""
        self._tokens += 1

    def accept(self, begun: float) -> None:
        """Count a request that began at `begun` and was accepted."""
        self._accepted += begun >= self._measured_from
        self._sinking.accepted += 1
        self._sinking.between = True

    def measure_anew(self) -> None:
        """Begin the first measurement with the next refusal, because the host was idle."""
        if self.rate == math.inf:
            self._measured_from, self._accepted = math.inf, 0

    def refuse(self, now: float, pause: float = 0.0) -> bool:
        """Lower the rate after a refusal; return False if that does not help, so that requests must pause.

        `pause` is how long the host accepts no request because of it.
        """
        if pause:
            self._sinking = _Sinking(self.rate)
        self._sinking.note_refusal()
        helped = self._learn(now, pause)
        sinking = self._sinking
        if sinking.isolated >= self._options.isolated and self.rate < self._options.sunk * sinking.begun_at:
            if sinking.in_vain(self._options):
                self.rate = self._lowest = math.inf
                self._before = self._measured = None
                self._measure(now)
                helped = True
            self._sinking = _Sinking(self.rate)
        return helped

    def _learn(self, now: float, pause: float) -> bool:
        """Lower the rate by what was measured; return False if nothing was."""
        options = self._options
        self._measured_from = min(self._measured_from, now)
        if self._accepted < options.enough and self._earlier is not None:
            (self._measured_from, accepted), self._earlier = self._earlier, None
            self._accepted += accepted
        lasted = now - self._measured_from
        if self._accepted < options.enough or lasted <= 0:
            return self._lower(now)
        measured, least = self._accepted / lasted, options.least_kept if pause else options.least_measured
        if self.rate < math.inf:
            measured = min(max(measured, least * self.rate), self.rate)
        self._span = self._next_span(measured, now, pause)
        self._refused_at, self._measured, self._lowered = now, measured, False
        self._limit(options.margin * measured, now)
        self._measure(now)
        return True

    def _lower(self, now: float) -> bool:
        """Lower the rate without a measurement, once; return whether that was done."""
        if self.rate == math.inf:
            return False
        if not self._lowered:
            self._lowered, self._before = True, self.rate
            self._limit(self._options.least_kept * self.rate, now)
            return True
        if not self._accepted and self._before is not None:
            # A lower rate is not accepted either: the host has closed for a while.
            self._limit(self._before, now)
        self._before = None
        return False

    def _next_span(self, measured: float, now: float, pause: float) -> float:
        options, before = self._options, self._measured
        agrees = before is not None and abs(measured - before) < options.alike * before
        doubtful = not pause and measured <= options.least_measured * self.rate < math.inf
        since = options.doubtful if doubtful else now - self._refused_at
        span = 2 * self._span if agrees else max(options.shortest, options.stretch * since)
        return min(span, max(options.longest, min(options.pauses * pause, options.longest_paused)))

    def _limit(self, rate: float, now: float) -> None:
        highest = self._sinking.begun_at
        if highest == math.inf or self.rate > highest:
            self._sinking = _Sinking(rate if self.rate == math.inf else self.rate)
        self.rate = self._lowest = self._rate_at_first = rate
        self._tokens, self._grown, self._filled_at = 0.0, 0.0, now

    def _measure(self, now: float) -> None:
        self._measured_from, self._rate_at_first, self._accepted = now, self.rate, 0
        self._earlier = None

    def _fill(self, now: float) -> None:
        options, passed = self._options, max(0.0, now - self._filled_at)
        self._filled_at = now
        earned, missing = passed * self.rate, max(0.0, 1 + options.burst * self.rate - self._tokens)
        self._tokens += min(earned, missing)
        # While the bucket is full, the rate holds no request back, and nothing shows that the host bears more.
        self._grown += passed if earned <= missing else passed * missing / earned
        spans = self._grown / self._span
        self.rate = self._lowest * (1 + options.slow * spans + options.fast * spans**3)
        old = now - self._measured_from > options.memory or self.rate > options.steep * self._rate_at_first
        if old and self._accepted >= options.plenty:
            earlier = self._measured_from, self._accepted
            self._measure(now)
            self._earlier = earlier


class _Sinking:
    """The requests since the rate was `begun_at`, the highest from which it has been lowered since then."""

    __slots__ = ("accepted", "begun_at", "between", "isolated", "refused")

    def __init__(self, begun_at: float) -> None:
        self.begun_at = begun_at
        self.accepted = self.refused = self.isolated = 0
        self.between = False  # a request was accepted since the last refusal

    def note_refusal(self) -> None:
        """Count a refusal, and whether one request at least was accepted before it."""
        self.refused += 1
        self.isolated += self.between
        self.between = False

    def in_vain(self, options: PaceOptions) -> bool:
        """Return whether the host goes on accepting most requests and refusing some, at any rate."""
        most = self.accepted >= options.in_vain * (self.accepted + self.refused)
        return most and 2 * self.isolated >= self.refused
