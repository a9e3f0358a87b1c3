"""Compares this machine's clock with the service's, using the header `Date` of its answers (RFC 9110 6.6.1)."""

from __future__ import annotations

from bulkup.helpers.clock import Clock
from bulkup.helpers.event_logger import EventLogger
from bulkup.model.http import ApiAnswer, ApiCall, ApiRequest, http_date
from bulkup.model.log_events import LogEvent

MAX_SKEW = 300.0  # seconds; services commonly accept signatures within this difference
_log = EventLogger("bulkup")


class ServiceClock:
    """The service's clock, as its answers show it; this machine's `local` clock until the first one with a date."""

    def __init__(self, local: Clock) -> None:
        self.local = local
        self.skew: float | None = None  # of the newest answer with a date; see `clock_skew`

    def now(self) -> float:
        """Return the service's Unix time."""
        return self.at(self.local.now())

    def at(self, local_time: float) -> float:
        """Return the service's Unix time at a time of this machine's clock."""
        return local_time + (self.skew or 0.0)


class ClockSkewCheck:
    """Wraps an API call, and warns once per run if the clock is wrong by five minutes or more.

    The leases of URLs are converted to this machine's time and stay correct. Signatures are not: the service may refuse
    them as too old or too new.
    """

    def __init__(self, call: ApiCall, clock: ServiceClock) -> None:
        self._call = call
        self._clock = clock
        self._warned = False

    async def __call__(self, request: ApiRequest) -> ApiAnswer:
        """Carry out the call, and set the service's clock by the time in its answer."""
        answer = await self._call(request)
        skew = clock_skew(answer, self._clock.local.now())
        self._clock.skew = self._clock.skew if skew is None else skew
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
