"""Calls at even distances, below a number a second."""

from __future__ import annotations

import itertools

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.api.rate_limit import RateLimitedCall, RateLimiter
from bulkup.model.http import ApiAnswer, ApiRequest

REQUEST = ApiRequest("POST", "/x")


class FakeClock:
    """Time that stands still unless it is told to go on."""

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
    """Whatever the clock shows."""
    assert RateLimiter(1.0).wait(0.0) == 0.0
    assert RateLimiter(1.0).wait(1e9) == 0.0


def test_calls_that_come_together_start_at_even_distances() -> None:
    """Four a second: a quarter of a second apart."""
    assert starts(4.0, [10.0] * 4) == [10.0, 10.25, 10.5, 10.75]


def test_time_without_calls_is_not_saved_up() -> None:
    """After a pause the calls are spaced as before; there is no burst."""
    assert starts(2.0, [0.0, 100.0, 100.0]) == [0.0, 100.0, 100.5]


def test_less_than_one_call_a_second_can_be_asked_for() -> None:
    """One in four seconds."""
    assert starts(0.25, [0.0, 0.0]) == [0.0, 4.0]


@given(
    st.floats(0.01, 1000),
    st.lists(st.floats(0, 1e5), min_size=1, max_size=50).map(sorted),
)
def test_no_window_holds_more_calls_than_allowed(per_second: float, arrivals: list[float]) -> None:
    """Any two starts are a distance apart, none before its arrival."""
    began = starts(per_second, arrivals)
    assert all(start >= arrival for start, arrival in zip(began, arrivals, strict=True))
    assert all(b - a >= 1 / per_second - 1e-6 for a, b in itertools.pairwise(began))


async def test_each_call_waits_its_turn_and_is_carried_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pacer sleeps what the spacing says, then passes request and answer through."""
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
