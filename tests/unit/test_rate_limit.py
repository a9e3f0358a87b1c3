"""API calls start at equal intervals, at most a number per second."""

from __future__ import annotations

import itertools

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.model.http import ApiAnswer, ApiRequest
from bulkup.transport.rate_limit import RateLimitedCall, RateLimiter

REQUEST = ApiRequest("POST", "/x")


class FakeClock:
    """A clock with a fixed time, which tests advance."""

    def __init__(self) -> None:
        self.time = 100.0

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time


def starts(per_second: float, arrivals: list[float]) -> list[float]:
    spacing = RateLimiter(per_second)
    return [arrival + spacing.wait(arrival) for arrival in arrivals]


def test_the_first_call_does_not_wait() -> None:
    """For any time of the clock."""
    assert RateLimiter(1.0).wait(0.0) == 0.0
    assert RateLimiter(1.0).wait(1e9) == 0.0


def test_simultaneous_calls_start_at_equal_intervals() -> None:
    """At four per second: a quarter of a second apart."""
    assert starts(4.0, [10.0] * 4) == [10.0, 10.25, 10.5, 10.75]


def test_there_is_no_burst_after_a_pause() -> None:
    """After a pause the interval is the same as before."""
    assert starts(2.0, [0.0, 100.0, 100.0]) == [0.0, 100.0, 100.5]


def test_a_limit_may_be_below_one_call_per_second() -> None:
    """One call in four seconds."""
    assert starts(0.25, [0.0, 0.0]) == [0.0, 4.0]


@given(
    st.floats(0.01, 1000),
    st.lists(st.floats(0, 1e5), min_size=1, max_size=50).map(sorted),
)
def test_no_window_holds_more_calls_than_allowed(per_second: float, arrivals: list[float]) -> None:
    """Two starts are at least an interval apart, and no call starts before it arrives."""
    began = starts(per_second, arrivals)
    assert all(start >= arrival for start, arrival in zip(began, arrivals, strict=True))
    assert all(b - a >= 1 / per_second - 1e-6 for a, b in itertools.pairwise(began))


async def test_each_call_waits_and_is_carried_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """It sleeps for the limiter's delay, and passes request and answer on."""
    slept, requests, answer = list[float](), list[ApiRequest](), ApiAnswer(200, {}, b"{}", 1.0)

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async def call(request: ApiRequest) -> ApiAnswer:
        requests.append(request)
        return answer

    monkeypatch.setattr(anyio, "sleep", sleep)
    pacer = RateLimitedCall(call, 2.0, FakeClock())
    answers = [await pacer(REQUEST) for _ in range(3)]
    assert slept == [0.0, 0.5, 1.0]
    assert requests == [REQUEST] * 3
    assert all(given is answer for given in answers)
