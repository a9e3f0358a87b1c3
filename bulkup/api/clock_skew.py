"""Compares this machine's clock with the service's, by the header `Date` of each of its answers (RFC 9110 6.6.1)."""

from __future__ import annotations

import structlog

from bulkup.helpers.clock import Clock
from bulkup.model.http import ApiAnswer, ApiCall, ApiRequest, http_date
from bulkup.model.log_events import LogEvent

WARN_FROM = 300.0  # seconds
_log = structlog.get_logger("bulkup")


class ClockSkewCheck:
    """Wraps an API call, and warns once in a run whose clock is off by five minutes or more.

    URLs are used by the service's time all the same; but signatures are not: they are taken as too old, or too young.
    """

    def __init__(self, call: ApiCall, clock: Clock) -> None:
        self._call = call
        self._clock = clock
        self._warned = False

    async def __call__(self, request: ApiRequest) -> ApiAnswer:
        """Carry out the call, and look at the answer's time."""
        answer = await self._call(request)
        skew = clock_skew(answer, self._clock.now())
        if skew is not None and abs(skew) >= WARN_FROM and not self._warned:
            self._warned = True
            _log.warning(LogEvent.CLOCK_WRONG, difference=skew_text(skew), seconds=round(skew))
        return answer


def clock_skew(answer: ApiAnswer, received_at: float) -> float | None:
    """Return by how many seconds the service's clock is ahead of ours, None where it tells no time.

    An answer may have taken its time: the service looked at its clock somewhere between the request and the answer, so
    a time in between is no skew at all. `Date` is in whole seconds, cut off.
    """
    theirs = http_date(answer.headers.get("date", ""), None)
    if theirs is None:
        return None
    if theirs > received_at:
        return theirs - received_at
    return min(0.0, theirs + 1 - answer.sent_at)


def skew_text(skew: float) -> str:
    """Return a skew in words, such as "12 min behind"."""
    minutes = round(abs(skew) / 60)
    return f"{minutes} min {'behind' if skew > 0 else 'ahead of'}"
