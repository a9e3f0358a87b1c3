"""The queue of those that wait for the bandwidth limit, with a timer and a clock of the test."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from bulkup.helpers.clock import Clock
from bulkup.pipeline.throttle import SharedThrottle


class Time(Clock):
    """A clock that stands still until `advance`, and calls what was scheduled."""

    def __init__(self) -> None:
        self.at = 0.0
        self.scheduled: list[Call] = []

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at

    def call_later(self, seconds: float, call: Callable[[], None]) -> Call:
        self.scheduled.append(Call(self.at + seconds, call))
        return self.scheduled[-1]

    def advance(self, seconds: float) -> None:
        """Let time pass, and make the calls that are due, in their order."""
        end = self.at + seconds
        while due := [call for call in self.scheduled if call.at <= end and not call.cancelled]:
            first = min(due, key=lambda call: call.at)
            self.at = max(self.at, first.at)
            self.scheduled.remove(first)
            first.call()
        self.at = end


class Call:
    """A call that was scheduled."""

    def __init__(self, at: float, call: Callable[[], None]) -> None:
        self.at = at
        self.call = call
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


def throttle(rate: float | None) -> tuple[SharedThrottle, Time]:
    time = Time()
    made = SharedThrottle(time, call_later=time.call_later)
    made.limit(rate)
    return made, time


async def test_without_a_limit_nothing_waits() -> None:
    made, time = throttle(None)
    assert (made.request(10**12), made.piece, made.waiting) == (None, None, 0)
    assert time.scheduled == []


async def test_requests_are_served_in_their_order() -> None:
    """A small one does not overtake a large one that came before."""
    made, time = throttle(1000.0)
    turns = [made.request(count) for count in (50, 50, 1)]
    assert [turn is None for turn in turns] == [False] * 3
    done = list[int]()
    for seconds in (0.049, 0.002, 0.049, 0.002):
        time.advance(seconds)
        done.append(sum(turn is not None and turn.done() for turn in turns))
    assert done == [0, 1, 1, 3]
    assert made.waiting == 0


async def test_delayed_requests_are_counted_once() -> None:
    """The number of workers is judged by them: it is of no use to add some while the limit holds others back."""
    made, time = throttle(1000.0)
    assert made.delayed() == 0
    for _ in range(3):
        made.request(10)
    time.advance(0.015)
    assert (made.delayed(), made.waiting) == (3, 2)
    assert made.delayed() == 2  # they still wait
    time.advance(1.0)
    assert (made.delayed(), made.delayed()) == (2, 0)
    assert made.request(10) is None
    assert made.delayed() == 0


async def test_a_request_that_is_given_up_costs_nothing() -> None:
    """The next one has its turn as if the other had never been there."""
    made, time = throttle(1000.0)
    first, second = made.request(100), made.request(10)
    assert first is not None
    assert second is not None
    first.cancel()
    time.advance(0.2)
    assert second.done()
    assert made.request(50) is None  # the rest of the burst


async def test_a_higher_limit_holds_at_once() -> None:
    """Requests that wait do not wait as long as the old limit would have them."""
    made, time = throttle(10.0)
    turn = made.request(1000)
    assert turn is not None
    time.advance(0.05)
    made.limit(1e6)
    time.advance(0.01)
    assert turn.done()


async def test_without_a_limit_all_that_wait_are_released() -> None:
    made, time = throttle(10.0)
    turns = [made.request(100) for _ in range(3)]
    changes = list[float | None]()
    made.on_change(lambda: changes.append(made.rate))
    made.limit(None)
    assert all(turn is not None and turn.done() for turn in turns)
    assert (changes, made.waiting) == ([None], 0)
    time.advance(60)
    assert made.request(10**9) is None


async def test_a_lower_limit_holds_for_pieces_that_wait() -> None:
    """They may be larger than the new bucket."""
    made, time = throttle(1e6)
    turn = made.request(50_000)
    assert turn is not None
    made.limit(1000.0)
    time.advance(0.09)
    assert not turn.done()
    time.advance(0.02)
    assert turn.done()
    assert made.piece == 20


async def test_a_closed_throttle_sets_no_timer() -> None:
    made, time = throttle(1000.0)
    turn = made.request(100)
    assert turn is not None
    made.close()
    assert all(call.cancelled for call in time.scheduled)
    turn.cancel()


async def test_the_timer_of_the_event_loop() -> None:
    """Without one of its own, the throttle uses that of the loop."""
    from bulkup.helpers.clock import SystemClock

    made = SharedThrottle(SystemClock())
    made.limit(1e6)
    turn = made.request(1000)
    assert turn is not None
    await asyncio.wait_for(turn, 60)
