"""Compares this machine's clock with the service's, using the header `Date` of its answers (RFC 9110 6.6.1)."""

from __future__ import annotations

from bulkup.helpers.clock import Clock
from bulkup.helpers.event_logger import EventLogger
from bulkup.model.http import ApiAnswer, ApiCall, ApiRequest, http_date
from bulkup.model.log_events import LogEvent

MAX_SKEW = 300.0  # seconds; services commonly accept signatures within this difference
_log = EventLogger("bulkup")


class ClockSkewCheck:
    """Wraps an API call, and warns once per run if the clock is wrong by five minutes or more.

    The leases of URLs are converted to this machine's time and stay correct. Signatures are not: the service may refuse
    them as too old or too new.
    """

    def __init__(self, call: ApiCall, clock: Clock) -> None:
        self._call = call
        self._clock = clock
        self._warned = False
        self.skew: float | None = None  # of the newest answer with a date; see `clock_skew`

    async def __call__(self, request: ApiRequest) -> ApiAnswer:
        """Carry out the call, and check the time in its answer."""
        answer = await self._call(request)
        skew = clock_skew(answer, self._clock.now())
        self.skew = self.skew if skew is None else skew
        if skew is not None and abs(skew) >= MAX_SKEW and not self._warned:
            self._warned = True
            _log.warning(LogEvent.CLOCK_WRONG, difference=skew_text(skew), seconds=round(skew))
        return answer


def clock_skew(answer: ApiAnswer, received_at: float) -> float | None:
    """Return by how many seconds the service's clock is ahead of ours, None if the answer has no `Date`.

    The service read its clock at some time between the request and the answer, so a `Date` in this interval shows no
    skew. `Date` is rounded down to whole seconds.
    """
    theirs = http_date(answer.headers.get("date", ""), None)
    if theirs is None:
        return None
    if theirs > received_at:
        return theirs - received_at
    return min(0.0, theirs + 1 - answer.sent_at)


def skew_text(skew: float) -> str:
    """Return the difference of this machine's clock in words, such as "12 min behind"."""
    minutes = round(abs(skew) / 60)
    return f"{minutes} min {'behind' if skew > 0 else 'ahead of'}"
