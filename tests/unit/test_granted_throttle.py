"""The bandwidth limit in a sending process: it asks its parent, and sends what was granted."""

from __future__ import annotations

from bulkup.pipeline.processes.granted_throttle import GrantedThrottle


def throttle(rate: float | None = 1e6) -> tuple[GrantedThrottle, list[int]]:
    asked = list[int]()
    made = GrantedThrottle(asked.append)
    made.take(rate, 0)
    return made, asked


async def test_without_a_limit_nothing_is_asked() -> None:
    made, asked = throttle(None)
    assert (made.request(10**9), made.piece, asked) == (None, None, [])


async def test_each_request_is_asked_and_granted_in_order() -> None:
    made, asked = throttle()
    first, second = made.request(100), made.request(10)
    assert first is not None
    assert second is not None
    assert asked == [100, 10]
    made.take(1e6, 60)
    assert not first.done()
    made.take(1e6, 40)
    assert (first.done(), second.done()) == (True, False)
    made.take(1e6, 10)
    assert second.done()


async def test_the_grant_of_a_request_that_was_given_up_goes_to_the_next() -> None:
    """So no bytes of the limit are lost, and none are sent twice."""
    made, asked = throttle()
    first = made.request(100)
    assert first is not None
    first.cancel()
    made.take(1e6, 100)
    assert made.request(70) is None
    assert made.request(40) is not None
    assert asked == [100, 40]


async def test_the_end_of_the_limit_releases_all_requests() -> None:
    """Grants that arrive later are not kept for the next limit."""
    made, asked = throttle()
    turns = [made.request(100), made.request(100)]
    made.take(None, 0)
    assert all(turn is not None and turn.done() for turn in turns)
    made.take(None, 200)
    made.take(1e6, 0)
    assert made.request(1) is not None
    assert asked == [100, 100, 1]


async def test_pieces_follow_the_limit() -> None:
    made, _ = throttle(1e6)
    assert (made.piece, made.at_once) == (20_000, 50_000)
    made.take(1e5, 0)
    assert (made.piece, made.at_once) == (2_000, 5_000)
