"""Delivers one request of a notification: it is repeated until it is taken or refused, or time is up."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

import anyio

from bulkup.model.http import ApiCall, ApiRequest, retry_after_seconds
from bulkup.model.problems import OF_THE_HOST, ProblemError

Sleep = Callable[[float], Awaitable[None]]

_FIRST_PAUSE = 1.0  # seconds; it doubles with each attempt
_LONGEST_PAUSE = 15.0
_REPEATED = frozenset({408, 425, 429})  # and all from 500 on


class Delivery(NamedTuple):
    """The result for one receiver: its key in the table, and the reason why it did not take the notification."""

    key: str
    error: str | None


async def deliver(
    key: str, request: ApiRequest, call: ApiCall, seconds: float, *, sleep: Sleep = anyio.sleep
) -> Delivery:
    """Make a request until it is answered with success or with an error that stays, at most for some `seconds`."""
    deadline, attempts = anyio.current_time() + seconds, 0
    with anyio.move_on_after(seconds):
        while True:
            attempts += 1
            reason, again, after = await _attempt(request, call)
            if not reason:
                return Delivery(key, None)
            wait = pause(attempts, after)
            if not again or anyio.current_time() + wait >= deadline:
                return Delivery(key, reason)
            await sleep(wait)
    return Delivery(key, f"no answer within {seconds:.3g} s")


async def _attempt(request: ApiRequest, call: ApiCall) -> tuple[str, bool, float | None]:
    """Return why an attempt failed, empty after success; whether another may succeed; the pause that was asked for."""
    try:
        answer = await call(request)
    except ProblemError as error:
        return error.problem.message, error.problem.kind in OF_THE_HOST, error.problem.retry_after
    if answer.status // 100 == 2:
        return "", False, None
    again = answer.status in _REPEATED or answer.status >= 500
    return f"it answered {answer.status}", again, retry_after_seconds(answer.headers, answer.sent_at)


def pause(attempts: int, retry_after: float | None) -> float:
    """Return the seconds until the next attempt. A receiver may ask for a longer pause, up to a limit."""
    grown = _FIRST_PAUSE * 2.0 ** min(attempts - 1, 10)
    return min(_LONGEST_PAUSE, max(grown, retry_after or 0.0))
