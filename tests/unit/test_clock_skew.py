"""The comparison of this machine's clock with the service's."""

from __future__ import annotations

import email.utils

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from bulkup.model.http import ApiAnswer, ApiRequest
from bulkup.transport.clock_skew import ClockSkewCheck, ServiceClock, clock_skew, skew_text

NOW = 1_700_000_000.0
LOOK = ApiRequest("GET", "/")


def answer_at(theirs: float | None, sent_at: float = NOW) -> ApiAnswer:
    headers = {} if theirs is None else {"date": email.utils.formatdate(theirs, usegmt=True)}
    return ApiAnswer(200, headers, b"", sent_at)


class Clock:
    """A clock with a fixed time."""

    def now(self) -> float:
        return NOW

    def monotonic(self) -> float:
        return 0.0


@given(
    skew=st.floats(-1e6, 1e6),
    seconds=st.floats(0, 100),
    looked=st.floats(0, 1),
)
def test_the_skew_is_exact_up_to_the_duration_of_the_call(skew: float, seconds: float, looked: float) -> None:
    """It is never overestimated, whenever during the call the service read its clock."""
    told_skew = clock_skew(answer_at(NOW + looked * seconds + skew), NOW + seconds)
    assert told_skew is not None
    assert abs(told_skew) <= abs(skew) + 1e-3
    assert abs(told_skew - skew) <= seconds + 1.001


def test_without_a_date_the_skew_is_unknown() -> None:
    """The same holds for an invalid date."""
    assert clock_skew(answer_at(None), NOW) is None
    assert clock_skew(ApiAnswer(200, {"date": "yesterday"}, b"", NOW), NOW) is None


@pytest.mark.parametrize(("skew", "words"), [(720.0, "12 min behind"), (-301.0, "5 min ahead of")])
def test_a_skew_in_words(skew: float, words: str) -> None:
    """From the point of view of this machine."""
    assert skew_text(skew) == words


@pytest.mark.parametrize(("skew", "warnings"), [(0, 0), (299, 0), (300, 1), (-298, 0), (-302, 1)])
async def test_a_skew_of_five_minutes_is_reported_once(skew: float, warnings: int) -> None:
    """For any number of calls."""

    async def call(request: ApiRequest) -> ApiAnswer:
        return answer_at(NOW + skew)

    watch = ClockSkewCheck(call, ServiceClock(Clock()))
    with capture_logs() as logs:
        for _ in range(3):
            assert (await watch(LOOK)).status == 200
    assert [entry["log_level"] for entry in logs] == ["warning"] * warnings


async def test_the_services_clock_is_that_of_its_newest_dated_answer() -> None:
    """Until the first one it is this machine's."""
    answers = [answer_at(None), answer_at(NOW + 7200), answer_at(None), answer_at(NOW - 3600)]

    async def call(request: ApiRequest) -> ApiAnswer:
        return answers.pop(0)

    service = ServiceClock(Clock())
    watch, told = ClockSkewCheck(call, service), [service.now() - NOW]
    while answers:
        await watch(LOOK)
        told.append(service.now() - NOW)
    assert told == [0, 0, 7200, 7200, pytest.approx(-3599, abs=1)]
    assert service.at(NOW - 10) == service.now() - 10
